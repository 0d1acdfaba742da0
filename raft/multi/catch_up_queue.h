// CatchUpQueue: what the groups of a shard would send to replicas that are behind, and may not yet.
// Who waits gets its turn in the order in which it asked, a piece each, so that no group keeps
// another one from its end. A limit that is gone, or higher, counts with the next tick.
//
// Owned by the RaftReplicaManager, on its shard.
#pragma once

#include <cstdint>
#include <functional>
#include <list>

#include "raft/multi/catch_up_budgets.h"
#include "raft/multi/group_id.h"

namespace chronik::raft {

/// So many bytes may go, at least one entry or one part; they are taken from the budgets.
struct CatchUpGrant {
  CatchUpLimits limits;
  std::uint64_t bytes = 0;
};

struct CatchUpAsk {
  enum class Kind : std::uint8_t { entries, snapshot };
  GroupId group;
  NodeId to = no_node;
  Kind kind = Kind::entries;
  std::uint64_t wanted = 0;
  /// Asked again as long as it waits.
  std::function<CatchUpLimits()> limits;
  /// Called once, unless it is forgotten; maybe before ask() returns.
  std::function<void(CatchUpGrant)> go;
};

class CatchUpQueue {
 public:
  /// `budgets` outlives it; null: there are no limits.
  explicit CatchUpQueue(CatchUpBudgets* budgets) : budgets_(budgets) {}

  /// Takes the place of one of the same group, node and kind that waits.
  void ask(CatchUpAsk ask);
  void tick(SteadyTime now);
  /// Nothing of the group waits any more.
  void forget(const GroupId& group);
  /// What really went.
  void sent(NodeId to, const CatchUpGrant& grant, std::uint64_t bytes);

  bool is_limited(NodeId to, CatchUpLimits limits) const {
    return limits.any() && budgets_ != nullptr && budgets_->is_limited(to, limits);
  }
  std::size_t waiting() const { return waiting_.size(); }

 private:
  bool try_now(CatchUpAsk& ask);

  CatchUpBudgets* budgets_;
  std::list<CatchUpAsk> waiting_;
};

}  // namespace chronik::raft
