// Committed offsets: taken, deleted, and forgotten when their time is over; and groups likewise.
#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "base/log.h"
#include "broker/group/coordinator.h"

namespace chronik::broker {
namespace {

/// What one round of expiry looks at, or deletes, before others have their turn.
constexpr std::size_t groups_per_slice = 1'000;
constexpr std::size_t offsets_per_slice = 10'000;

/// Java counts UTF-16 units: one for each character, two outside of the basic plane.
std::size_t length_in_java(std::string_view text) {
  std::size_t units = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xc0) != 0x80) units += byte >= 0xf0 ? 2 : 1;
  }
  return units;
}

bool metadata_too_large(const std::string& metadata, std::int32_t limit) {
  const auto most = static_cast<std::size_t>(std::max(limit, 0));
  return metadata.size() > most && length_in_java(metadata) > most;
}

template <class Topics>
std::size_t partition_count(const Topics& topics) {
  std::size_t count = 0;
  for (const auto& topic : topics) count += topic.partitions.size();
  return count;
}

}  // namespace

Future<Result<metadata::ApplyResults>> GroupCoordinator::propose(
    std::vector<metadata::MetadataEvent> events) {
  auto promise = std::make_shared<Promise<Result<metadata::ApplyResults>>>();
  Future<Result<metadata::ApplyResults>> future = promise->future();
  store_.propose(std::move(events), {.only_in_term = term_},
                 [promise](Result<metadata::ApplyResults> done) { promise->set(std::move(done)); });
  return future;
}

ErrorCode GroupCoordinator::check_commit(const OffsetCommit& request) {
  if (!running_) return ErrorCode::coordinator_not_available;
  if (std::shared_ptr<Entry> entry = find(request.group_id)) {
    return entry->group.check_commit(request.who, now());
  }
  const bool claims_generation = request.who.generation >= 0;
  if (!claims_generation) return ErrorCode::none;  // the first commit makes the group, if need be
  if (store_.image()->group(request.group_id) != nullptr) return ErrorCode::unknown_member_id;
  return request.knows_group_not_found ? ErrorCode::group_id_not_found
                                       : ErrorCode::illegal_generation;
}

Task<OffsetChangeResult> GroupCoordinator::commit(OffsetCommit request) {
  OffsetChangeResult result;
  result.error = check_commit(request);
  if (result.error != ErrorCode::none) co_return result;

  // Those whose metadata is too long are left out and answered; the others are committed.
  const Timestamp now_ms = clock_.now_ms();
  const Timestamp expire_ms = request.retention_ms < 0 ? -1 : now_ms + request.retention_ms;
  metadata::OffsetsCommitted event;
  event.group_id = request.group_id;
  result.partitions.reserve(partition_count(request.topics));
  std::vector<std::size_t> taken;  // where the event's partitions are in the answer
  for (metadata::OffsetsCommitted::Topic& from : request.topics) {
    metadata::OffsetsCommitted::Topic topic{from.topic_id, std::move(from.name), {}};
    for (metadata::OffsetsCommitted::Partition& partition : from.partitions) {
      if (metadata_too_large(partition.metadata, settings_.offset_metadata_bytes_max)) {
        result.partitions.push_back(ErrorCode::offset_metadata_too_large);
        continue;
      }
      partition.commit_time_ms = now_ms;
      partition.expire_time_ms = expire_ms;
      taken.push_back(result.partitions.size());
      result.partitions.push_back(ErrorCode::none);
      topic.partitions.push_back(std::move(partition));
    }
    if (!topic.partitions.empty()) event.topics.push_back(std::move(topic));
  }
  if (event.topics.empty()) co_return result;

  std::vector<metadata::MetadataEvent> events;
  events.emplace_back(std::move(event));
  Future<Result<metadata::ApplyResults>> stored = propose(std::move(events));
  Result<metadata::ApplyResults> done = co_await stored;
  if (!done) {
    result.error = to_error_code(done.error());
  } else if (!done->front().ok()) {
    result.error = done->front().code;
  } else {
    for (const metadata::ApplyResult::Rejected& rejected : done->front().rejected) {
      result.partitions[taken[rejected.index]] = rejected.code;
    }
  }
  co_return result;
}

Task<OffsetChangeResult> GroupCoordinator::delete_offsets(OffsetDelete request) {
  OffsetChangeResult result;
  if (!running_ || request.group_id.empty()) {
    result.error = running_ ? ErrorCode::invalid_group_id : ErrorCode::coordinator_not_available;
    co_return result;
  }
  const std::shared_ptr<const metadata::Image> image = store_.image();
  const metadata::Group* stored = image->group(request.group_id);
  std::shared_ptr<Entry> entry = find(request.group_id);
  if (entry == nullptr && stored == nullptr) {
    result.error = ErrorCode::group_id_not_found;
    co_return result;
  }
  if (entry != nullptr) result.error = entry->group.check_offset_delete();
  if (result.error != ErrorCode::none) co_return result;

  metadata::OffsetsDeleted event;
  event.group_id = request.group_id;
  for (metadata::OffsetsDeleted::Topic& from : request.topics) {
    const bool in_use = entry != nullptr && entry->group.subscribes_to(from.name);
    metadata::OffsetsDeleted::Topic topic{from.topic_id, std::move(from.name), {}};
    for (const PartitionId partition : from.partitions) {
      result.partitions.push_back(in_use ? ErrorCode::group_subscribed_to_topic : ErrorCode::none);
      if (in_use || stored == nullptr) continue;
      if (stored->offsets.find(topic.topic_id, partition) != nullptr) {
        topic.partitions.push_back(partition);
      }
    }
    if (!topic.partitions.empty()) event.topics.push_back(std::move(topic));
  }
  entry.reset();
  if (event.topics.empty()) co_return result;

  std::vector<metadata::MetadataEvent> events;
  events.emplace_back(std::move(event));
  Future<Result<metadata::ApplyResults>> deletion = propose(std::move(events));
  Result<metadata::ApplyResults> done = co_await deletion;
  if (!done) {
    result.error = to_error_code(done.error());
  } else if (done->front().code != ErrorCode::group_id_not_found) {
    result.error = done->front().code;  // a group that is gone meanwhile has no offsets either
  }
  co_return result;
}

const metadata::OffsetTable* GroupCoordinator::offsets(const metadata::Image& image,
                                                       const std::string& group_id) const {
  auto active = active_.find(group_id);
  if (active != active_.end() && active->second->group.state() == GroupState::dead) return nullptr;
  const metadata::Group* group = image.group(group_id);
  return group == nullptr ? nullptr : &group->offsets;
}

Task<std::vector<ErrorCode>> GroupCoordinator::delete_groups(std::vector<std::string> group_ids) {
  std::vector<ErrorCode> codes(group_ids.size(), ErrorCode::coordinator_not_available);
  if (!running_) co_return codes;
  struct Deletion {
    std::size_t at;
    std::shared_ptr<Entry> entry;
  };
  std::vector<Deletion> deletions;
  std::vector<metadata::MetadataEvent> events;
  for (std::size_t i = 0; i < group_ids.size(); ++i) {
    std::shared_ptr<Entry> entry = activate(group_ids[i]);
    codes[i] = entry == nullptr ? ErrorCode::group_id_not_found : entry->group.check_delete();
    if (codes[i] != ErrorCode::none) continue;
    entry->group.begin_delete();
    ++entry->busy;
    deletions.push_back({i, entry});
    events.emplace_back(metadata::GroupDeleted{group_ids[i]});
  }
  if (events.empty()) co_return codes;

  Future<Result<metadata::ApplyResults>> stored = propose(std::move(events));
  Result<metadata::ApplyResults> done = co_await stored;
  for (std::size_t i = 0; i < deletions.size(); ++i) {
    Deletion& deletion = deletions[i];
    ErrorCode& code = codes[deletion.at];
    code = done ? (*done)[i].code : to_error_code(done.error());
    // Not in the store: it had only announced members, and is gone all the same.
    if (code == ErrorCode::group_id_not_found) code = ErrorCode::none;
    Entry& entry = *deletion.entry;
    if (!entry.gone) {
      entry.group.end_delete(code == ErrorCode::none);
      if (code == ErrorCode::none) {
        log_info("consumer group",
                 {{"group", entry.group.id()}, {"event", "is deleted with its offsets"}});
        entry.gone = true;
        entry.timer.cancel();
        active_.erase(entry.group.id());
      }
    }
    release(deletion.entry);
  }
  co_return codes;
}

/// Every offsets.retention.check.interval.ms all groups are looked at, in slices.
void GroupCoordinator::on_expiry_timer() {
  retention_now_ = retention_clock_.observe(clock_.now_ms(), clock_.steady_now());
  const std::shared_ptr<const metadata::Image> image = store_.image();
  if (expiry_queue_.empty()) {
    expiry_queue_.reserve(image->group_count());
    image->for_each_group(
        [this](const metadata::Group& group) { expiry_queue_.push_back(group.id); });
  }
  std::vector<metadata::MetadataEvent> events;
  std::size_t offsets = 0;
  for (std::size_t looked = 0; looked < groups_per_slice && !expiry_queue_.empty(); ++looked) {
    const metadata::Group* group = image->group(expiry_queue_.back());
    if (group != nullptr) offsets += expire_offsets(*image, *group, events);
    if (offsets >= offsets_per_slice) break;  // the last group may have more
    expiry_queue_.pop_back();
  }
  const SteadyTime next =
      clock_.steady_now() +
      (expiry_queue_.empty() ? settings_.offsets_check_interval : milliseconds{0});
  if (events.empty()) {
    expiry_timer_.arm_at(next);
    return;
  }
  log_info("expired offsets", {{"offsets", offsets}, {"events", events.size()}});
  std::weak_ptr<GroupCoordinator*> self = self_;
  store_.propose(
      std::move(events), {.only_in_term = term_},
      [self, next](const Result<metadata::ApplyResults>& done) {
        std::shared_ptr<GroupCoordinator*> coordinator = self.lock();
        if (coordinator == nullptr || !(*coordinator)->running_) return;
        GroupCoordinator& me = **coordinator;
        if (!done) {
          log_warn("could not store the expiry of offsets", {{"error", done.error().message}});
          me.expiry_queue_.clear();  // the next round tries again
        }
        me.expiry_timer_.arm_at(
            done ? next : me.clock_.steady_now() + me.settings_.offsets_check_interval);
      });
}

/// Adds what deletes the group's expired offsets, and the group if nothing of it is left. Returns
/// the number of offsets, offsets_per_slice at the most.
std::size_t GroupCoordinator::expire_offsets(const metadata::Image& image,
                                             const metadata::Group& stored,
                                             std::vector<metadata::MetadataEvent>& events) const {
  const std::shared_ptr<Entry> entry = find(stored.id);
  std::optional<Group> inactive;
  if (entry == nullptr) inactive.emplace(inactive_group(stored));
  const Group& group = entry == nullptr ? *inactive : entry->group;
  if (group.state() == GroupState::dead) return 0;

  std::unordered_map<Uuid, std::vector<PartitionId>> expired;
  std::size_t count = 0;
  bool all = true;
  stored.offsets.for_each([&](const Uuid& topic_id, const metadata::CommittedOffset& offset) {
    const metadata::Topic* topic = image.topic(topic_id);
    const bool gone =
        topic != nullptr && count < offsets_per_slice &&
        group.offset_expired(topic->name, offset.commit_time_ms, offset.expire_time_ms,
                             retention_now_, settings_.offsets_retention);
    all &= gone;
    if (!gone) return;
    expired[topic_id].push_back(offset.partition);
    ++count;
  });
  if (all && entry == nullptr) {
    events.emplace_back(metadata::GroupDeleted{stored.id});
    return count;
  }
  if (count == 0) return 0;
  metadata::OffsetsDeleted event;
  event.group_id = stored.id;
  for (auto& [topic_id, partitions] : expired) {
    event.topics.push_back({topic_id, image.topic(topic_id)->name, std::move(partitions)});
  }
  events.emplace_back(std::move(event));
  return count;
}

}  // namespace chronik::broker
