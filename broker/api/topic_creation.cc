#include "broker/api/topic_creation.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <set>

#include "broker/api/placement.h"
#include "broker/settings/alter.h"
#include "metadata/apply.h"

namespace chronik::broker {

using metadata::TopicCreated;
using protocol::ErrorCode;
using Wish = protocol::CreateTopicsRequest::CreatableTopic;

namespace {

std::optional<Refusal> check_numbers(const Wish& wish) {
  if (wish.assignments.empty()) {
    if (wish.replication_factor < -1 || wish.replication_factor == 0) {
      return Refusal{ErrorCode::invalid_replication_factor,
                     "Replication factor must be larger than 0, or -1 to use the default value."};
    }
    if (wish.num_partitions < -1 || wish.num_partitions == 0) {
      return Refusal{ErrorCode::invalid_partitions,
                     "Number of partitions was set to an invalid non-positive value."};
    }
    return std::nullopt;
  }
  if (wish.replication_factor != -1) {
    return Refusal{ErrorCode::invalid_request,
                   "A manual partition assignment was specified, but replication factor was not "
                   "set to -1."};
  }
  if (wish.num_partitions != -1) {
    return Refusal{ErrorCode::invalid_request,
                   "A manual partition assignment was specified, but numPartitions was not set to "
                   "-1."};
  }
  return std::nullopt;
}

Refusal bad_assignment(std::string message) {
  return {ErrorCode::invalid_replica_assignment, std::move(message)};
}

std::optional<Refusal> check_replicas(const std::vector<BrokerId>& replicas,
                                      std::span<const PlacementBroker> brokers) {
  if (replicas.empty()) {
    return bad_assignment("The manual partition assignment includes an empty replica list.");
  }
  std::set<BrokerId> seen;
  for (BrokerId replica : replicas) {
    if (find_broker(brokers, replica) == nullptr) {
      return bad_assignment(
          fmt::format("The manual partition assignment includes broker {}, but "
                      "no such broker is registered.",
                      replica));
    }
    if (!seen.insert(replica).second) {
      return bad_assignment(
          fmt::format("The manual partition assignment includes the broker {} "
                      "more than once.",
                      replica));
    }
  }
  return std::nullopt;
}

TopicCreated::Partition make_partition(PartitionId index, std::vector<BrokerId> replicas,
                                       std::span<const PlacementBroker> brokers) {
  TopicCreated::Partition partition;
  partition.partition_index = index;
  partition.leader = replicas.front();
  partition.directories = directories_of(brokers, replicas);
  partition.replicas = std::move(replicas);
  return partition;
}

std::optional<Refusal> assign_by_hand(const Wish& wish, std::span<const PlacementBroker> brokers,
                                      TopicCreated& topic) {
  std::vector<const protocol::CreateTopicsRequest::CreatableReplicaAssignment*> sorted;
  for (const auto& assignment : wish.assignments) sorted.push_back(&assignment);
  std::sort(sorted.begin(), sorted.end(),
            [](const auto* a, const auto* b) { return a->partition_index < b->partition_index; });
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    const auto& assignment = *sorted[i];
    if (i > 0 && sorted[i - 1]->partition_index == assignment.partition_index) {
      return bad_assignment(
          fmt::format("Found multiple manual partition assignments for "
                      "partition {}",
                      assignment.partition_index));
    }
    if (assignment.partition_index != static_cast<PartitionId>(i)) {
      return bad_assignment("partitions should be a consecutive 0-based integer sequence");
    }
    if (auto refusal = check_replicas(assignment.broker_ids, brokers)) return refusal;
    if (assignment.broker_ids.size() != sorted.front()->broker_ids.size()) {
      return bad_assignment(fmt::format(
          "The manual partition assignment includes a partition with {} replica(s), but this is "
          "not consistent with previous partitions, which have {} replica(s).",
          assignment.broker_ids.size(), sorted.front()->broker_ids.size()));
    }
    if (!can_elect(brokers, assignment.broker_ids)) {
      return bad_assignment(fmt::format(
          "Most brokers in the manual assignment of partition {} cannot be reached now, so it "
          "would have no leader.",
          assignment.partition_index));
    }
    topic.partitions.push_back(
        make_partition(static_cast<PartitionId>(i), assignment.broker_ids, brokers));
  }
  return std::nullopt;
}

std::optional<Refusal> assign_by_default(const Wish& wish, CreationContext& context,
                                         TopicCreated& topic) {
  const Settings& settings = context.config.settings;
  const std::int32_t count =
      wish.num_partitions == -1 ? settings.num_partitions : wish.num_partitions;
  const std::int16_t factor =
      wish.replication_factor == -1 ? settings.default_replication_factor : wish.replication_factor;
  if (count > partitions_per_request_max) {
    return Refusal{ErrorCode::invalid_partitions,
                   fmt::format("{} partitions are more than the {} that one request may create.",
                               count, partitions_per_request_max)};
  }
  const std::size_t brokers = context.brokers.size();
  if (static_cast<std::size_t>(factor) > brokers) {
    return Refusal{ErrorCode::invalid_replication_factor,
                   fmt::format("Unable to replicate the partition {} time(s): The target "
                               "replication factor of {} cannot be reached because only {} "
                               "broker(s) are registered.",
                               factor, factor, brokers)};
  }
  if (!can_elect(context.brokers, static_cast<std::size_t>(factor))) {
    return Refusal{ErrorCode::invalid_replication_factor,
                   fmt::format("Too many brokers cannot be reached now: a partition of {} "
                               "replica(s) would have no leader.",
                               factor)};
  }
  Placement placement(context.brokers, context.random);
  for (std::int32_t index = 0; index < count; ++index) {
    topic.partitions.push_back(
        make_partition(index, placement.next(static_cast<std::size_t>(factor)), context.brokers));
  }
  return std::nullopt;
}

std::optional<Refusal> take_configs(const Wish& wish, const LiveConfig& config,
                                    TopicCreated& topic) {
  std::vector<ConfigUpdate> wanted;
  for (const auto& one : wish.configs) wanted.push_back({one.name, one.value});
  ConfigOutcome outcome = check_new_topic(config, wanted);
  if (const auto* refusal = std::get_if<ConfigRefusal>(&outcome)) {
    return Refusal{refusal->code, refusal->message};
  }
  for (ConfigUpdate& update : std::get<std::vector<ConfigUpdate>>(outcome)) {
    if (!update.value) continue;
    TopicCreated::Config taken;
    taken.name = std::move(update.name);
    taken.value = std::move(*update.value);
    topic.configs.push_back(std::move(taken));
  }
  return std::nullopt;
}

}  // namespace

std::variant<TopicCreated, Refusal> plan_topic(const Wish& wish, CreationContext& context) {
  if (auto why = metadata::refuse_topic_name(wish.name)) {
    return Refusal{ErrorCode::invalid_topic_exception, std::move(*why)};
  }
  if (auto refusal = check_numbers(wish)) return std::move(*refusal);
  TopicCreated topic;
  topic.name = wish.name;
  auto refusal = wish.assignments.empty() ? assign_by_default(wish, context, topic)
                                          : assign_by_hand(wish, context.brokers, topic);
  if (refusal) return std::move(*refusal);
  if (auto bad = take_configs(wish, context.config, topic)) return std::move(*bad);
  topic.topic_id = Uuid::from_random(context.random.next(), context.random.next());
  topic.created_ms = context.now_ms;
  return topic;
}

std::variant<TopicCreated, Refusal> plan_default_topic(const std::string& name,
                                                       CreationContext& context) {
  Wish wish;
  wish.name = name;
  wish.num_partitions = -1;
  wish.replication_factor = -1;
  return plan_topic(wish, context);
}

}  // namespace chronik::broker
