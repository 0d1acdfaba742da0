#include "raft/multi/catch_up_queue.h"

#include <algorithm>
#include <utility>

namespace chronik::raft {

void CatchUpQueue::ask(CatchUpAsk ask) {
  const auto same = std::ranges::find_if(waiting_, [&](const CatchUpAsk& other) {
    return other.group == ask.group && other.to == ask.to && other.kind == ask.kind;
  });
  if (same != waiting_.end()) {
    *same = std::move(ask);
    return;
  }
  // Those who wait for the same budget come first.
  const CatchUpLimits own = ask.limits();
  const bool waits = std::ranges::any_of(waiting_, [&](const CatchUpAsk& other) {
    const CatchUpLimits limits = other.limits();
    return (own.leader && limits.leader) || (own.follower && limits.follower && other.to == ask.to);
  });
  if (waits || !try_now(ask)) waiting_.push_back(std::move(ask));
}

bool CatchUpQueue::try_now(CatchUpAsk& ask) {
  CatchUpGrant grant{ask.limits(), ask.wanted};
  if (is_limited(ask.to, grant.limits)) {
    grant.bytes = budgets_->take(ask.to, grant.limits, ask.wanted);
    if (grant.bytes == 0) return false;
  } else {
    grant.limits = {};
  }
  ask.go(grant);
  return true;
}

void CatchUpQueue::tick(SteadyTime now) {
  if (budgets_ == nullptr) return;
  budgets_->pass(now);
  // Whoever goes may ask for more, which comes behind all that wait.
  std::list<CatchUpAsk> before = std::exchange(waiting_, {});
  std::list<CatchUpAsk> late;
  while (!before.empty()) {
    if (try_now(before.front())) {
      before.pop_front();
    } else {
      late.splice(late.end(), before, before.begin());
    }
  }
  waiting_.splice(waiting_.begin(), late);
}

void CatchUpQueue::forget(const GroupId& group) {
  std::erase_if(waiting_, [&](const CatchUpAsk& ask) { return ask.group == group; });
}

void CatchUpQueue::sent(NodeId to, const CatchUpGrant& grant, std::uint64_t bytes) {
  if (grant.limits.any()) budgets_->settle(to, grant.limits, grant.bytes, bytes);
}

}  // namespace chronik::raft
