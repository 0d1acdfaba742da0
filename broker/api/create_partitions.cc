// CreatePartitions (key 37): raises the number of partitions of topics.
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "broker/api/await_leaders.h"
#include "broker/api/handlers.h"
#include "broker/api/placement.h"
#include "broker/api/proposal_outcome.h"
#include "broker/broker.h"
#include "broker/partition/shard_data.h"
#include "broker/runtime/metadata_view.h"
#include "protocol/errors.h"
#include "protocol/messages/create_partitions.h"

namespace chronik::broker {

namespace {

using protocol::CreatePartitionsRequest;
using protocol::CreatePartitionsResponse;
using protocol::ErrorCode;
using TopicRequest = CreatePartitionsRequest::CreatePartitionsTopic;
using TopicResult = CreatePartitionsResponse::CreatePartitionsTopicResult;

constexpr std::int32_t partitions_per_topic_max = 1'000'000;

void set_error(TopicResult& result, ErrorCode error, std::string message) {
  result.error_code = static_cast<std::int16_t>(error);
  result.error_message = std::move(message);
}

/// False, with the answer filled in, when the wish cannot be fulfilled.
bool check(const TopicRequest& asked, const metadata::Topic* topic,
           const std::vector<PlacementBroker>& brokers, TopicResult& result) {
  if (topic == nullptr) {
    set_error(result, ErrorCode::unknown_topic_or_partition,
              std::string(protocol::error_message(ErrorCode::unknown_topic_or_partition)));
    return false;
  }
  const PartitionId present = topic->partition_count();
  if (asked.count == present) {
    set_error(result, ErrorCode::invalid_partitions,
              fmt::format("Topic already has {} partition(s).", present));
    return false;
  }
  if (asked.count < present) {
    set_error(
        result, ErrorCode::invalid_partitions,
        fmt::format("The topic {} currently has {} partition(s); {} would not be an increase.",
                    asked.name, present, asked.count));
    return false;
  }
  if (asked.count > partitions_per_topic_max) {
    set_error(result, ErrorCode::invalid_partitions,
              fmt::format("{} partitions are more than one topic may have ({}).", asked.count,
                          partitions_per_topic_max));
    return false;
  }
  if (!asked.assignments) return true;
  const std::size_t added = static_cast<std::size_t>(asked.count - present);
  if (asked.assignments->size() != added) {
    set_error(
        result, ErrorCode::invalid_replica_assignment,
        fmt::format(
            "Attempted to add {} additional partition(s), but {} assignment(s) were specified.",
            added, asked.assignments->size()));
    return false;
  }
  const std::size_t factor = topic->partitions.front().replicas.size();
  for (const auto& assignment : *asked.assignments) {
    const std::vector<BrokerId>& ids = assignment.broker_ids;
    const std::set<BrokerId> different(ids.begin(), ids.end());
    const bool known =
        std::ranges::all_of(ids, [&](BrokerId id) { return find_broker(brokers, id) != nullptr; });
    if (ids.size() == factor && different.size() == factor && known) {
      if (can_elect(brokers, ids)) continue;
      set_error(result, ErrorCode::invalid_replica_assignment,
                "Most of the brokers assigned cannot be reached now: an added partition would "
                "have no leader.");
      return false;
    }
    std::vector<BrokerId> there;
    there.reserve(brokers.size());
    for (const PlacementBroker& broker : brokers) there.push_back(broker.id);
    set_error(
        result, ErrorCode::invalid_replica_assignment,
        fmt::format("Each added partition needs {} different replica(s), as those there have, "
                    "on the brokers {}.",
                    factor, fmt::join(there, ", ")));
    return false;
  }
  return true;
}

/// As many replicas as the partitions there have, but not more than there are brokers, and most
/// of them on those that are not fenced.
bool can_place(const metadata::Topic& topic, const std::vector<PlacementBroker>& brokers,
               TopicResult& result) {
  const std::size_t factor = topic.partitions.front().replicas.size();
  if (factor <= brokers.size() && can_elect(brokers, factor)) return true;
  const auto fenced = std::ranges::count_if(brokers, &PlacementBroker::fenced);
  set_error(result, ErrorCode::invalid_replication_factor,
            fmt::format("Unable to replicate the partition {} time(s): of {} broker(s) that are "
                        "registered, {} cannot be reached.",
                        factor, brokers.size(), fenced));
  return false;
}

metadata::PartitionsAdded event_of(const TopicRequest& asked, const metadata::Topic& topic,
                                   std::span<const PlacementBroker> brokers, Placement& placement) {
  metadata::PartitionsAdded event;
  event.topic_id = topic.id;
  event.name = topic.name;
  for (PartitionId index = topic.partition_count(); index < asked.count; ++index) {
    metadata::PartitionsAdded::Partition partition;
    partition.partition_index = index;
    const auto added = static_cast<std::size_t>(index - topic.partition_count());
    partition.replicas = asked.assignments
                             ? (*asked.assignments)[added].broker_ids
                             : placement.next(topic.partitions.front().replicas.size());
    partition.leader = partition.replicas.front();
    partition.directories = directories_of(brokers, partition.replicas);
    event.partitions.push_back(std::move(partition));
  }
  return event;
}

}  // namespace

Task<CreatePartitionsResponse> create_partitions(RequestContext& context,
                                                 CreatePartitionsRequest request) {
  CreatePartitionsResponse response;
  Broker& broker = context.broker();
  Task<Result<void>> catching_up = broker.metadata->catch_up();
  const Result<void> current = co_await std::move(catching_up);
  const metadata::Image& image = broker.data(context.shard()).image();
  const std::vector<PlacementBroker> brokers = brokers_for_placement(broker);
  Placement placement(brokers, context.shard().random());
  std::set<std::string> seen;
  std::set<std::string> repeated;
  for (const TopicRequest& topic : request.topics) {
    if (!seen.insert(topic.name).second) repeated.insert(topic.name);
  }
  std::vector<metadata::MetadataEvent> events;
  std::vector<std::size_t> answered_by;
  std::vector<Uuid> changed;
  std::set<std::string> refused;
  for (const TopicRequest& asked : request.topics) {
    if (repeated.contains(asked.name) && !refused.insert(asked.name).second) continue;
    TopicResult& result = response.results.emplace_back();
    result.name = asked.name;
    if (repeated.contains(asked.name)) {
      set_error(result, ErrorCode::invalid_request, "Duplicate topic name.");
      continue;
    }
    if (!current) {
      set_error(result, to_error_code(current.error().code), current.error().message);
      continue;
    }
    const metadata::Topic* topic = image.topic(asked.name);
    if (!check(asked, topic, brokers, result)) continue;
    if (!asked.assignments && !can_place(*topic, brokers, result)) continue;
    if (request.validate_only) continue;
    events.emplace_back(event_of(asked, *topic, brokers, placement));
    changed.push_back(topic->id);
    answered_by.push_back(response.results.size() - 1);
  }
  if (events.empty()) co_return response;

  Task<Result<metadata::ApplyResults>> proposal = broker.metadata->propose(std::move(events));
  const Result<metadata::ApplyResults> applied = co_await std::move(proposal);
  report_refusals(applied, answered_by,
                  [&](std::size_t place, ErrorCode error, const std::string& message) {
                    set_error(response.results[place], error, message);
                  });
  Task<void> led = await_leaders(context, std::move(changed), milliseconds{request.timeout_ms});
  co_await std::move(led);
  co_return response;
}

}  // namespace chronik::broker
