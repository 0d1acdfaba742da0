// PeerDialer: when, and to which address, this node dials another one. It tries until it is told
// that there is a connection, with pauses that grow from backoff_min to backoff_max, drawn at
// random so that nodes that lost each other do not meet in step. Lives on one shard.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/random.h"
#include "broker/net/peer_resolver.h"
#include "broker/runtime/shard.h"
#include "broker/runtime/timer.h"
#include "raft/multi/transport.h"

namespace chronik::broker {

/// Where another node is reached.
struct PeerAddress {
  raft::NodeId node = 0;
  std::string host;
  std::uint16_t port = 0;

  bool operator==(const PeerAddress&) const = default;
};

/// host:port, [v6]:port.
std::string to_text(const PeerAddress& address);

/// The pauses between attempts. Pure.
class PeerBackoff {
 public:
  PeerBackoff(milliseconds min, milliseconds max) : min_(min), max_(max), next_(min) {}

  /// Between half of the present pause and all of it; the next one is twice as long.
  milliseconds next(Random& random);
  /// The longest from here on.
  void slow_down() { next_ = max_; }
  void reset() { next_ = min_; }

 private:
  const milliseconds min_;
  const milliseconds max_;
  milliseconds next_;
};

class PeerDialer {
 public:
  /// An attempt began: `fd` is a socket whose connect is under way, to `address`.
  using Dialing = std::function<void(int fd, std::string address)>;
  /// It could not even begin.
  using Failed = std::function<void(std::string why)>;

  PeerDialer(Shard& shard, PeerResolver& resolver, Random& random, PeerAddress address,
             PeerBackoff backoff, Dialing dialing, Failed failed);

  const PeerAddress& address() const { return address_; }

  /// Dials now, unless it does already, there is a connection, or it was tried a moment ago.
  void dial_soon();
  /// The attempt, or the connection that it became, has ended: tries again after a pause. A
  /// connection that `lasted` begins with the shortest one, a partner who `refused` with the
  /// longest.
  enum class Ending { failed, refused, lasted };
  void ended(Ending ending);
  void stop();

 private:
  void dial();
  void on_addresses(const PeerResolver::Addresses& addresses);
  void fail(std::string why);

  Shard& shard_;
  PeerResolver& resolver_;
  Random& random_;
  const PeerAddress address_;
  const milliseconds pause_min_;
  PeerBackoff backoff_;
  const Dialing dialing_;
  const Failed failed_;
  Timer timer_;
  SteadyTime dialed_at_{};
  std::size_t attempts_ = 0;
  bool refused_ = false;
  bool stopped_ = false;
  const std::shared_ptr<int> life_ = std::make_shared<int>(0);  // for answers that come too late
};

}  // namespace chronik::broker
