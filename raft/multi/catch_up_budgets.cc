#include "raft/multi/catch_up_budgets.h"

#include <algorithm>

namespace chronik::raft {

void CatchUpBudgets::set_rates(const CatchUpRates& rates) {
  const std::lock_guard lock(mutex_);
  leader_.set_rate(rates.leader);
  std::erase_if(followers_, [&](const auto& at) { return !rates.followers.contains(at.first); });
  for (const auto& [node, rate] : rates.followers) followers_[node].set_rate(rate);
}

void CatchUpBudgets::pass(SteadyTime now) {
  const std::lock_guard lock(mutex_);
  leader_.pass(now);
  for (auto& [node, bucket] : followers_) bucket.pass(now);
}

template <class Use>
void CatchUpBudgets::each(NodeId to, CatchUpLimits limits, Use use) {
  if (limits.leader) use(leader_);
  const auto follower = limits.follower ? followers_.find(to) : followers_.end();
  if (follower != followers_.end()) use(follower->second);
}

bool CatchUpBudgets::is_limited(NodeId to, CatchUpLimits limits) const {
  const std::lock_guard lock(mutex_);
  if (limits.leader && leader_.is_limited()) return true;
  const auto follower = limits.follower ? followers_.find(to) : followers_.end();
  return follower != followers_.end() && follower->second.is_limited();
}

std::uint64_t CatchUpBudgets::take(NodeId to, CatchUpLimits limits, std::uint64_t wanted) {
  const std::lock_guard lock(mutex_);
  bool open = true;
  std::uint64_t allowed = wanted;
  each(to, limits, [&](const TokenBucket& bucket) {
    open = open && bucket.is_open();
    allowed = std::min(allowed, bucket.piece());
  });
  if (!open) return 0;
  each(to, limits, [&](TokenBucket& bucket) { bucket.take(allowed); });
  return allowed;
}

void CatchUpBudgets::settle(NodeId to, CatchUpLimits limits, std::uint64_t taken,
                            std::uint64_t sent) {
  const std::lock_guard lock(mutex_);
  each(to, limits, [&](TokenBucket& bucket) {
    if (sent > taken) bucket.take(sent - taken);
    if (sent < taken) bucket.give_back(taken - sent);
  });
}

}  // namespace chronik::raft
