// PeerResolver: addresses of other nodes from their host names. A name is asked for anew at each
// attempt to connect, since a container comes back with another address. An address needs nobody;
// names go to a thread, for the system's resolver may take seconds, which ends when all are
// answered. Used on one shard.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "broker/runtime/shard.h"

namespace chronik::broker {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

class PeerResolver {
 public:
  /// Not empty. Errors: not_found, io.
  using Addresses = Result<std::vector<SocketAddress>>;
  using Done = std::function<void(Addresses)>;

  explicit PeerResolver(Shard& shard);
  PeerResolver(const PeerResolver&) = delete;
  PeerResolver& operator=(const PeerResolver&) = delete;
  /// What was not answered is not any more. Does not wait for the system.
  ~PeerResolver();

  /// `done` is called on the shard: at once for an address, in a later turn for a name.
  void resolve(const std::string& host, std::uint16_t port, Done done);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace chronik::broker
