// Acceptor: accepts connections of one listener and hands each to the shard with the fewest. Lives
// on one shard; opened before (so that a port in use stops the start), started on it.
//
// It survives the end of file descriptors: one is kept in reserve; while there is no other, each
// newcomer is accepted with it and closed at once, so that clients see a closed connection instead
// of a hanging one. That is logged once, and once when it is over.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "broker/api/context.h"
#include "broker/net/admission.h"
#include "broker/net/options.h"
#include "broker/net/socket.h"
#include "broker/runtime/shard.h"
#include "broker/settings/settings.h"

namespace chronik::broker {

/// "PLAINTEXT://host:9092", as it stands in `listeners`.
std::string to_text(const Listener& listener);

class Acceptor {
 public:
  /// Takes over an accepted socket; called on the acceptor's shard.
  using Accept = std::function<void(int fd, ConnectionInfo info, Admission::Ticket ticket)>;

  /// Binds and listens; connections wait in the backlog until start(). Errors: busy (the port is in
  /// use), invalid_argument (the host is unknown), io; the text says what to do.
  static Result<std::unique_ptr<Acceptor>> open(Shard& shard, const Listener& listener,
                                                Admission& admission, const NetOptions& options,
                                                Accept accept);
  Acceptor(Shard& shard, Listener listener, int fd, Admission& admission, const NetOptions& options,
           Accept accept);
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;
  /// On the shard, or when the shard has ended.
  ~Acceptor();

  /// With the port that the system chose where 0 was asked for.
  const Listener& listener() const { return listener_; }

  /// On the shard, within a turn.
  void start();
  /// Accepts no more. On the shard, within a turn; destroy it in a later turn, when it is finished.
  void close();
  /// Closed, and nothing refers to it any more.
  bool finished() const { return closed_ && !waiting_; }

 private:
  void wait();
  void on_readable(bool ready);
  bool accept_one();
  void admit(int fd, const sockaddr_storage& address);
  bool shed_one(int error);
  void rest();
  void open_reserve();

  Shard& shard_;
  Listener listener_;
  int fd_;
  Admission& admission_;
  const NetOptions options_;
  Accept accept_;
  std::unique_ptr<Socket> socket_;
  Timer rest_timer_;
  int reserve_ = -1;
  bool closed_ = false;
  bool waiting_ = false;
  bool shedding_ = false;
  std::uint64_t shed_ = 0;
  SteadyTime refusals_quiet_until_{};
  std::uint64_t refused_ = 0;
};

}  // namespace chronik::broker
