// CatchUpBudgets: how many bytes a node may send to replicas that are behind (KIP-73): one budget
// for all that it sends as a leader, and one for what goes to each other node, whose own limit is
// thus held by each leader for itself. Who sends takes from all budgets that count for it.
//
// One a node, shared by its shards: any thread. It is asked only for what is limited, a piece at a
// time, so that its lock is on no hot path.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>

#include "raft/core/types.h"
#include "raft/multi/token_bucket.h"

namespace chronik::raft {

/// Bytes a second; nothing: no limit.
struct CatchUpRates {
  std::optional<std::uint64_t> leader;        // of this node, to all others together
  std::map<NodeId, std::uint64_t> followers;  // to that one
  bool operator==(const CatchUpRates&) const = default;
};

/// Which limits count for something that is sent.
struct CatchUpLimits {
  bool leader = false;
  bool follower = false;
  bool any() const { return leader || follower; }
};

class CatchUpBudgets {
 public:
  void set_rates(const CatchUpRates& rates);
  /// Shards tell the time each for itself; the latest counts.
  void pass(SteadyTime now);

  bool is_limited(NodeId to, CatchUpLimits limits) const;
  /// How many of `wanted` bytes may go now; they are taken. 0: none yet.
  std::uint64_t take(NodeId to, CatchUpLimits limits, std::uint64_t wanted);
  /// `sent` went instead of `taken`, fewer or more.
  void settle(NodeId to, CatchUpLimits limits, std::uint64_t taken, std::uint64_t sent);

 private:
  template <class Use>
  void each(NodeId to, CatchUpLimits limits, Use use);

  mutable std::mutex mutex_;
  TokenBucket leader_;
  std::map<NodeId, TokenBucket> followers_;
};

}  // namespace chronik::raft
