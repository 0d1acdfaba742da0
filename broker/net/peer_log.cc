#include "broker/net/peer_log.h"

#include <fmt/core.h>

#include <algorithm>

namespace chronik::broker {

bool PeerLog::admit(std::string_view peer, std::string_view reason, SteadyTime now) {
  const std::pair key{std::string(peer), std::string(reason)};
  const auto known = said_.find(key);
  if (known != said_.end() && now - known->second < said_again_after) {
    ++suppressed_;
    return false;
  }
  if (!admit_news(now)) return false;
  if (known != said_.end()) {
    known->second = now;
    return true;
  }
  if (said_.size() >= remembered_max) {
    said_.erase(std::min_element(said_.begin(), said_.end(),
                                 [](auto& a, auto& b) { return a.second < b.second; }));
  }
  said_.emplace(key, now);
  return true;
}

void PeerLog::forget(std::string_view peer) {
  std::erase_if(said_, [&](auto& entry) { return entry.first.first == peer; });
}

bool PeerLog::admit_news(SteadyTime now) {
  if (now - second_began_ >= std::chrono::seconds(1)) {
    second_began_ = now;
    lines_in_second_ = 0;
  }
  if (lines_in_second_ < lines_per_second_max) {
    ++lines_in_second_;
    return true;
  }
  ++suppressed_;
  return false;
}

std::string node_name(raft::NodeId node) { return fmt::format("node {}", node); }

std::string_view host_of(std::string_view address) { return address.substr(0, address.rfind(':')); }

}  // namespace chronik::broker
