// AlterPartitionReassignments (key 45, KIP-455): other brokers are to have the replicas of a
// partition. Answered when that is decided; the partitions' leaders do it then, and go on where
// another one leads. To stop is to go back to the replicas there were.
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "broker/api/handlers.h"
#include "broker/api/proposal_outcome.h"
#include "broker/broker.h"
#include "broker/partition/shard_data.h"
#include "broker/runtime/metadata_view.h"
#include "protocol/errors.h"
#include "protocol/messages/alter_partition_reassignments.h"

namespace chronik::broker {

namespace {

using protocol::AlterPartitionReassignmentsRequest;
using protocol::AlterPartitionReassignmentsResponse;
using protocol::ErrorCode;
using Asked = AlterPartitionReassignmentsRequest::ReassignablePartition;
using Answer = AlterPartitionReassignmentsResponse::ReassignablePartitionResponse;

void set_error(Answer& answer, ErrorCode error, std::string message) {
  answer.error_code = protocol::to_wire(error);
  answer.error_message = std::move(message);
}

bool contains(const std::vector<BrokerId>& brokers, BrokerId id) {
  return std::ranges::find(brokers, id) != brokers.end();
}

std::vector<BrokerId> without(std::vector<BrokerId> brokers, const std::vector<BrokerId>& others) {
  std::erase_if(brokers, [&](BrokerId id) { return contains(others, id); });
  return brokers;
}

/// Why these brokers cannot have the replicas; empty: they can.
std::string refuse(const std::vector<BrokerId>& replicas, const metadata::Image& image) {
  if (replicas.empty()) return "The manual partition assignment includes an empty replica list.";
  std::set<BrokerId> seen;
  for (const BrokerId id : replicas) {
    if (!seen.insert(id).second) {
      return fmt::format("The manual partition assignment includes the broker {} more than once.",
                         id);
    }
    if (image.broker(id) == nullptr) {
      return fmt::format(
          "The manual partition assignment includes broker {}, but no such broker is registered.",
          id);
    }
  }
  return {};
}

/// The replicas that the partition shall have; nothing, with the answer filled in, where that
/// cannot be.
std::optional<std::vector<BrokerId>> wanted_replicas(const Asked& asked,
                                                     const metadata::Topic* topic,
                                                     const metadata::Image& image,
                                                     bool factor_may_change, Answer& answer) {
  if (topic == nullptr || !topic->has_partition(asked.partition_index)) {
    set_error(answer, ErrorCode::unknown_topic_or_partition,
              std::string(protocol::error_message(ErrorCode::unknown_topic_or_partition)));
    return std::nullopt;
  }
  const metadata::Partition& now =
      topic->partitions[static_cast<std::size_t>(asked.partition_index)];
  const std::vector<BrokerId> original = without(now.replicas, now.adding);
  if (!asked.replicas) {
    if (now.is_reassigned()) return original;
    set_error(answer, ErrorCode::no_reassignment_in_progress,
              std::string(protocol::error_message(ErrorCode::no_reassignment_in_progress)));
    return std::nullopt;
  }
  if (std::string why = refuse(*asked.replicas, image); !why.empty()) {
    set_error(answer, ErrorCode::invalid_replica_assignment, std::move(why));
    return std::nullopt;
  }
  if (!factor_may_change && asked.replicas->size() != original.size()) {
    set_error(answer, ErrorCode::invalid_replication_factor,
              fmt::format("The replication factor is changed from {} to {}", original.size(),
                          asked.replicas->size()));
    return std::nullopt;
  }
  return *asked.replicas;
}

/// Its one replica is no group's yet: so it founds one, which the others join.
metadata::PartitionGroupFounded founding_of(const metadata::Topic& topic, PartitionId index,
                                            const metadata::Image& image) {
  metadata::PartitionGroupFounded event;
  event.topic_id = topic.id;
  event.name = topic.name;
  event.partition_index = index;
  event.founder = topic.partitions[static_cast<std::size_t>(index)].replicas.front();
  const metadata::BrokerRegistered* broker = image.broker(event.founder);
  if (broker != nullptr) event.directory = broker->directory_id;
  return event;
}

metadata::PartitionReplicasChanged event_of(const metadata::Topic& topic, PartitionId index,
                                            std::vector<BrokerId> wanted) {
  const metadata::Partition& now = topic.partitions[static_cast<std::size_t>(index)];
  metadata::PartitionReplicasChanged event;
  event.topic_id = topic.id;
  event.name = topic.name;
  event.partition_index = index;
  event.before = now.replicas;
  const std::vector<BrokerId> original = without(now.replicas, now.adding);
  event.removing = without(now.replicas, wanted);
  // Who came with a move that is given up goes again: both adding and removing, it is no replica
  // that a later request could go back to.
  const std::vector<BrokerId> stays_out = without(event.removing, original);
  event.adding = without(wanted, original);
  event.adding.insert(event.adding.end(), stays_out.begin(), stays_out.end());
  event.replicas = std::move(wanted);
  event.replicas.insert(event.replicas.end(), event.removing.begin(), event.removing.end());
  return event;
}

}  // namespace

Task<AlterPartitionReassignmentsResponse> alter_partition_reassignments(
    RequestContext& context, AlterPartitionReassignmentsRequest request) {
  AlterPartitionReassignmentsResponse response;
  response.error_message.reset();
  response.allow_replication_factor_change = request.allow_replication_factor_change;
  Broker& broker = context.broker();
  Task<Result<void>> catching_up = broker.metadata->catch_up();
  if (const Result<void> current = co_await std::move(catching_up); !current) {
    response.error_code = protocol::to_wire(to_error_code(current.error().code));
    response.error_message = current.error().message;
    co_return response;
  }
  const metadata::Image& image = broker.data(context.shard()).image();
  std::vector<metadata::MetadataEvent> events;
  std::vector<std::pair<std::size_t, std::size_t>> places;
  std::vector<std::size_t> answered_by;
  for (const auto& asked_topic : request.topics) {
    auto& topic_answer = response.responses.emplace_back();
    topic_answer.name = asked_topic.name;
    const metadata::Topic* topic = image.topic(asked_topic.name);
    for (const Asked& asked : asked_topic.partitions) {
      Answer& answer = topic_answer.partitions.emplace_back();
      answer.partition_index = asked.partition_index;
      answer.error_message.reset();
      auto wanted =
          wanted_replicas(asked, topic, image, request.allow_replication_factor_change, answer);
      if (!wanted) continue;
      const metadata::Partition& now =
          topic->partitions[static_cast<std::size_t>(asked.partition_index)];
      if (!now.has_group()) {
        if (*wanted == now.replicas) continue;
        events.emplace_back(founding_of(*topic, asked.partition_index, image));
        answered_by.push_back(places.size());
      }
      events.emplace_back(event_of(*topic, asked.partition_index, *std::move(wanted)));
      answered_by.push_back(places.size());
      places.emplace_back(response.responses.size() - 1, topic_answer.partitions.size() - 1);
    }
  }
  if (events.empty()) co_return response;

  Task<Result<metadata::ApplyResults>> proposal = broker.metadata->propose(std::move(events));
  const Result<metadata::ApplyResults> applied = co_await std::move(proposal);
  report_refusals(applied, answered_by,
                  [&](std::size_t place, ErrorCode error, const std::string& message) {
                    const auto& [topic, partition] = places[place];
                    set_error(response.responses[topic].partitions[partition], error, message);
                  });
  co_return response;
}

}  // namespace chronik::broker
