// PeerLog: which lines about other nodes are worth writing. What is wrong with a peer stays wrong
// while it tries again and again; that is said once for each peer and reason, and once more when it
// still is after a long while. Whatever peers do, no more than so many lines a second are written.
// Pure; bounded.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "raft/multi/transport.h"

namespace chronik::broker {

class PeerLog {
 public:
  static constexpr std::size_t remembered_max = 256;
  static constexpr std::uint32_t lines_per_second_max = 10;
  static constexpr std::chrono::minutes said_again_after{10};

  /// Whether to write the line. `peer` is a node or an address without a port.
  bool admit(std::string_view peer, std::string_view reason, SteadyTime now);
  /// As above, for what is news each time: only the rate counts.
  bool admit_news(SteadyTime now);
  /// All is well with `peer`: what goes wrong from here on is news.
  void forget(std::string_view peer);
  /// Lines that were not written since the last call.
  std::uint64_t take_suppressed() { return std::exchange(suppressed_, 0); }

 private:
  std::map<std::pair<std::string, std::string>, SteadyTime, std::less<>> said_;
  SteadyTime second_began_{};
  std::uint32_t lines_in_second_ = 0;
  std::uint64_t suppressed_ = 0;
};

/// The peers of admit(): a node, and who speaks from host:port.
std::string node_name(raft::NodeId node);
std::string_view host_of(std::string_view address);

}  // namespace chronik::broker
