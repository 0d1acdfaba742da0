// ElectLeaders (key 43, KIP-183, KIP-460). Preferred replicas take their partitions back by
// themselves as soon as they have caught up; so a preferred election is a wait for that. An unclean
// one is an act (unclean_election.h), and may first be rehearsed, which Kafka does not know.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "broker/api/error_map.h"
#include "broker/api/handlers.h"
#include "broker/api/replica_lists.h"
#include "broker/api/unclean_election.h"
#include "broker/broker.h"
#include "broker/partition/shard_data.h"
#include "broker/runtime/metadata_view.h"
#include "protocol/errors.h"
#include "protocol/messages/elect_leaders.h"

namespace chronik::broker {

namespace {

using protocol::ElectLeadersRequest;
using protocol::ElectLeadersResponse;
using protocol::ErrorCode;
using Answer = ElectLeadersResponse::PartitionResult;

constexpr std::int8_t preferred_election = 0;
constexpr std::int8_t unclean_election = 1;
/// Our own: what an unclean one would do is the message of each partition.
constexpr std::int8_t rehearsed_unclean_election = -1;

struct Elected {
  Uuid topic_id;
  PartitionId partition = 0;
  BrokerId preferred = -1;
  std::size_t topic_place = 0;
  std::size_t place = 0;
};

void set_error(Answer& answer, ErrorCode error, std::string message = {}) {
  answer.error_code = protocol::to_wire(error);
  answer.error_message =
      message.empty() ? std::string(protocol::error_message(error)) : std::move(message);
}

/// False, with the answer filled in, when there is nothing to wait for.
bool begins(const MetadataView& view, const metadata::Topic& topic, PartitionId index,
            std::int8_t type, Answer& answer) {
  const PartitionLeader now = view.leader_of(topic, index);
  const metadata::Partition& partition = topic.partitions[static_cast<std::size_t>(index)];
  if (type != preferred_election) {
    if (!partition.has_group() && is_gone(view, now.leader)) {
      set_error(
          answer, ErrorCode::eligible_leaders_not_available,
          fmt::format("Its only replica is on broker {}, which cannot be reached.", now.leader));
      return false;
    }
    if (!partition.has_group()) set_error(answer, ErrorCode::election_not_needed);
    // Its replicas know: who led last may have come back without what it had.
    return partition.has_group();
  }
  const BrokerId preferred = partition.target().front();
  if (now.leader == preferred) {
    set_error(answer, ErrorCode::election_not_needed);
    return false;
  }
  if (is_gone(view, preferred)) {
    set_error(answer, ErrorCode::preferred_leader_not_available,
              fmt::format("Broker {}, the preferred leader, cannot be reached.", preferred));
    return false;
  }
  return true;
}

bool is_elected(const MetadataView& view, const Elected& one) {
  const metadata::Topic* topic = view.image()->topic(one.topic_id);
  if (topic == nullptr || !topic->has_partition(one.partition)) return true;
  return view.leader_of(*topic, one.partition).leader == one.preferred;
}

/// Null in the request: all partitions of all topics. Then those that need nothing are left out of
/// the answer, as by Kafka.
std::vector<ElectLeadersRequest::TopicPartitions> asked_for(const ElectLeadersRequest& request,
                                                            const metadata::Image& image) {
  if (request.topic_partitions) return *request.topic_partitions;
  std::vector<ElectLeadersRequest::TopicPartitions> all;
  image.for_each_topic([&](const std::shared_ptr<const metadata::Topic>& topic) {
    auto& entry = all.emplace_back();
    entry.topic = topic->name;
    for (PartitionId index = 0; index < topic->partition_count(); ++index) {
      entry.partitions.push_back(index);
    }
  });
  return all;
}

/// The answers of those that have one; the others in `waits`.
void begin_all(const MetadataView& view, const ElectLeadersRequest& request,
               ElectLeadersResponse& response, std::vector<Elected>& waits) {
  const metadata::Image& image = *view.image();
  for (const auto& asked : asked_for(request, image)) {
    ElectLeadersResponse::ReplicaElectionResult result;
    result.topic = asked.topic;
    const metadata::Topic* topic = image.topic(asked.topic);
    for (const PartitionId index : asked.partitions) {
      Answer answer;
      answer.partition_id = index;
      answer.error_message.reset();
      if (topic == nullptr || !topic->has_partition(index)) {
        set_error(answer, ErrorCode::unknown_topic_or_partition,
                  topic == nullptr ? fmt::format("No such topic as {}", asked.topic)
                                   : fmt::format("No such partition as {}-{}", asked.topic, index));
      } else if (begins(view, *topic, index, request.election_type, answer)) {
        waits.push_back({topic->id, index,
                         topic->partitions[static_cast<std::size_t>(index)].target().front(),
                         response.replica_election_results.size(), result.partition_result.size()});
      } else if (!request.topic_partitions &&
                 answer.error_code == protocol::to_wire(ErrorCode::election_not_needed)) {
        continue;
      }
      result.partition_result.push_back(std::move(answer));
    }
    if (result.partition_result.empty() && !request.topic_partitions) continue;
    response.replica_election_results.push_back(std::move(result));
  }
}

}  // namespace

namespace {

Task<void> elect_preferred(RequestContext& context, std::vector<Elected> waits, SteadyTime limit,
                           ElectLeadersResponse& response) {
  MetadataView& view = *context.broker().metadata;
  const auto over = [&view](const Elected& one) { return is_elected(view, one); };
  while (std::erase_if(waits, over), !waits.empty() && context.shard().now() < limit) {
    Task<void> news = view.leader_news(limit);
    co_await std::move(news);
  }
  for (const Elected& one : waits) {
    auto& answers = response.replica_election_results[one.topic_place].partition_result;
    set_error(
        answers[one.place], ErrorCode::preferred_leader_not_available,
        fmt::format("Broker {}, the preferred leader, has not caught up in time.", one.preferred));
  }
}

Task<void> elect_unclean(RequestContext& context, const std::vector<Elected>& those,
                         SteadyTime limit, bool rehearsed, ElectLeadersResponse& response) {
  std::vector<UncleanElection> elections;
  for (const Elected& one : those) {
    UncleanElection& election = elections.emplace_back();
    election.topic_id = one.topic_id;
    election.partition = one.partition;
  }
  Task<void> electing = elect_uncleanly(context, elections, limit, rehearsed);
  co_await std::move(electing);
  for (std::size_t i = 0; i < those.size(); ++i) {
    auto& answers = response.replica_election_results[those[i].topic_place].partition_result;
    set_error(answers[those[i].place], elections[i].error, std::move(elections[i].message));
  }
}

/// Of all partitions those are named that needed something.
void leave_out_unneeded(ElectLeadersResponse& response) {
  for (auto& topic : response.replica_election_results) {
    std::erase_if(topic.partition_result, [](const Answer& answer) {
      return answer.error_code == protocol::to_wire(ErrorCode::election_not_needed);
    });
  }
  std::erase_if(response.replica_election_results,
                [](const auto& topic) { return topic.partition_result.empty(); });
}

}  // namespace

Task<ElectLeadersResponse> elect_leaders(RequestContext& context, ElectLeadersRequest request) {
  ElectLeadersResponse response;
  const std::int8_t type = request.election_type;
  if (type < rehearsed_unclean_election || type > unclean_election) {
    response.error_code = protocol::to_wire(ErrorCode::invalid_request);
    co_return response;
  }
  MetadataView& view = *context.broker().metadata;
  Task<Result<void>> catching_up = view.catch_up();
  if (const Result<void> current = co_await std::move(catching_up); !current) {
    response.error_code = protocol::to_wire(to_error_code(current.error().code));
    co_return response;
  }
  std::vector<Elected> waits;
  begin_all(view, request, response, waits);
  const SteadyTime limit = context.shard().now() + milliseconds{std::max(request.timeout_ms, 0)};
  Task<void> electing =
      type == preferred_election
          ? elect_preferred(context, std::move(waits), limit, response)
          : elect_unclean(context, waits, limit, type == rehearsed_unclean_election, response);
  co_await std::move(electing);
  if (!request.topic_partitions) leave_out_unneeded(response);
  co_return response;
}

}  // namespace chronik::broker
