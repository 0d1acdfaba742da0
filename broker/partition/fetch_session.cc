#include "broker/partition/fetch_session.h"

#include <algorithm>
#include <limits>

namespace chronik::broker {

namespace {
constexpr std::int32_t no_session = 0;
constexpr std::int32_t initial_epoch = 0;
constexpr std::int32_t final_epoch = -1;

std::int32_t epoch_after(std::int32_t epoch) {
  return epoch == std::numeric_limits<std::int32_t>::max() ? 1 : epoch + 1;
}
}  // namespace

std::size_t FetchSessions::KeyHash::operator()(const Key& key) const {
  return std::hash<std::string>{}(key.topic) ^ std::hash<Uuid>{}(key.topic_id) ^
         (static_cast<std::size_t>(key.partition) * 0x9e3779b97f4a7c15ULL);
}

FetchSessions::Key FetchSessions::key_of(bool by_id, const std::string& topic, const Uuid& id,
                                         PartitionId partition) {
  if (by_id) return {std::string(), id, partition};
  return {topic, Uuid{}, partition};
}

void FetchSessions::Session::put(FetchPartition named) {
  Key key = key_of(by_id, named.topic, named.topic_id, named.partition);
  const auto found = index.find(key);
  if (found == index.end()) {
    order.push_back(std::make_shared<FetchPartition>(std::move(named)));
    index.emplace(std::move(key), std::prev(order.end()));
    return;
  }
  // A new object, not a change in place: a long poll of an earlier request may still hold the old
  // one.
  named.answered_high_watermark = (*found->second)->answered_high_watermark;
  named.answered_log_start_offset = (*found->second)->answered_log_start_offset;
  *found->second = std::make_shared<FetchPartition>(std::move(named));
}

void FetchSessions::Session::drop(const ForgottenPartition& forgotten) {
  const auto found =
      index.find(key_of(by_id, forgotten.topic, forgotten.topic_id, forgotten.partition));
  if (found == index.end()) return;
  order.erase(found->second);
  index.erase(found);
}

FetchPlan FetchSessions::plan(std::int32_t session_id, std::int32_t epoch, bool by_id,
                              std::vector<FetchPartition> named,
                              const std::vector<ForgottenPartition>& forgotten, SteadyTime now) {
  if (epoch == initial_epoch || epoch == final_epoch) {
    if (session_id != no_session) sessions_.erase(session_id);
    return plan_full(epoch == initial_epoch, by_id, std::move(named), now);
  }
  FetchPlan plan;
  const auto found = sessions_.find(session_id);
  if (found == sessions_.end()) {
    plan.error = protocol::ErrorCode::fetch_session_id_not_found;
    return plan;
  }
  Session& session = found->second;
  if (session.by_id != by_id) {
    plan.error = protocol::ErrorCode::fetch_session_topic_id_error;
    return plan;
  }
  if (session.next_epoch != epoch) {
    plan.error = protocol::ErrorCode::invalid_fetch_session_epoch;
    return plan;
  }
  session.next_epoch = epoch_after(epoch);
  session.last_used = now;
  for (FetchPartition& partition : named) session.put(std::move(partition));
  for (const ForgottenPartition& partition : forgotten) session.drop(partition);
  if (session.order.empty()) {
    sessions_.erase(found);
    return plan;
  }
  plan.session_id = session_id;
  plan.incremental = true;
  plan.partitions.assign(session.order.begin(), session.order.end());
  return plan;
}

FetchPlan FetchSessions::plan_full(bool keep, bool by_id, std::vector<FetchPartition> named,
                                   SteadyTime now) {
  FetchPlan plan;
  if (!keep || named.empty() || !make_room(now)) {
    plan.partitions.reserve(named.size());
    for (FetchPartition& partition : named) {
      plan.partitions.push_back(std::make_shared<FetchPartition>(std::move(partition)));
    }
    return plan;
  }
  do {
    plan.session_id =
        static_cast<std::int32_t>(random_.below(std::numeric_limits<std::int32_t>::max()) + 1);
  } while (sessions_.contains(plan.session_id));
  Session& session = sessions_[plan.session_id];
  session.by_id = by_id;
  session.last_used = now;
  for (FetchPartition& partition : named) session.put(std::move(partition));
  plan.partitions.assign(session.order.begin(), session.order.end());
  return plan;
}

void FetchSessions::move_to_end(std::int32_t session_id, const FetchPartition& partition) {
  const auto found = sessions_.find(session_id);
  if (found == sessions_.end()) return;
  Session& session = found->second;
  const auto at = session.index.find(
      key_of(session.by_id, partition.topic, partition.topic_id, partition.partition));
  if (at == session.index.end()) return;
  session.order.splice(session.order.end(), session.order, at->second);
}

bool FetchSessions::make_room(SteadyTime now) {
  if (sessions_.size() < slots_) return true;
  if (sessions_.empty()) return false;
  const auto oldest = std::min_element(
      sessions_.begin(), sessions_.end(),
      [](const auto& a, const auto& b) { return a.second.last_used < b.second.last_used; });
  if (now - oldest->second.last_used < min_eviction_age) return false;
  sessions_.erase(oldest);
  return true;
}

}  // namespace chronik::broker
