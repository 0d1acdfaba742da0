// DescribeQuorum (KIP-595, KIP-836): leader, voters and observers of the metadata. Kafka's metadata
// is a topic of a name of its own, and clients ask for that. What Kafka counts in offsets are
// entries here: each is a batch of changes, and those of Raft itself take no offset.
#include <utility>

#include "broker/api/error_map.h"
#include "broker/api/handlers.h"
#include "broker/api/leader_call.h"
#include "protocol/errors.h"
#include "protocol/messages/describe_quorum.h"

namespace chronik::broker {

using protocol::DescribeQuorumRequest;
using protocol::DescribeQuorumResponse;
using protocol::ErrorCode;
using protocol::to_wire;

namespace {

constexpr std::string_view metadata_topic = "__cluster_metadata";
constexpr const char* cluster_listener = "CLUSTER";

DescribeQuorumResponse failure(const Error& error) {
  DescribeQuorumResponse response;
  response.error_code = to_wire(error.code == Errc::not_leader ? ErrorCode::leader_not_available
                                                               : to_error_code(error.code));
  response.error_message = error.message;
  return response;
}

/// A node alone leads itself.
QuorumState alone(RequestContext& context) {
  const metadata::Image& image = *context.broker().metadata->image();
  QuorumMember self;
  self.id = context.broker().node.id;
  self.directory = context.broker().node.directory_id;
  self.votes = true;
  self.log_end = image.applied_index() + 1;
  self.heard = self.caught_up = context.broker().clock->now_ms();
  return {self.id, 0, self.log_end, {self}};
}

DescribeQuorumResponse answer(const QuorumState& state) {
  DescribeQuorumResponse response;
  DescribeQuorumResponse::PartitionData partition;
  partition.leader_id = state.leader;
  partition.leader_epoch = state.epoch;
  partition.high_watermark = state.high_watermark;
  for (const QuorumMember& member : state.members) {
    auto& list = member.votes ? partition.current_voters : partition.observers;
    DescribeQuorumResponse::ReplicaState& replica = list.emplace_back();
    replica.replica_id = member.id;
    replica.replica_directory_id = member.directory;
    replica.log_end_offset = member.log_end;
    replica.last_fetch_timestamp = member.heard;
    replica.last_caught_up_timestamp = member.caught_up;
    if (!member.votes || member.host.empty()) continue;
    DescribeQuorumResponse::Node& node = response.nodes.emplace_back();
    node.node_id = member.id;
    node.listeners.push_back({cluster_listener, member.host, member.port});
  }
  DescribeQuorumResponse::TopicData& topic = response.topics.emplace_back();
  topic.topic_name = metadata_topic;
  topic.partitions.push_back(std::move(partition));
  return response;
}

bool asks_for_metadata(const DescribeQuorumRequest& request) {
  return request.topics.size() == 1 && request.topics[0].topic_name == metadata_topic &&
         request.topics[0].partitions.size() == 1 &&
         request.topics[0].partitions[0].partition_index == 0;
}

/// Each of the partitions that were asked for has no quorum of its own.
DescribeQuorumResponse unknown(const DescribeQuorumRequest& request) {
  DescribeQuorumResponse response;
  for (const auto& asked : request.topics) {
    DescribeQuorumResponse::TopicData& topic = response.topics.emplace_back();
    topic.topic_name = asked.topic_name;
    for (const auto& partition : asked.partitions) {
      DescribeQuorumResponse::PartitionData& out = topic.partitions.emplace_back();
      out.partition_index = partition.partition_index;
      out.error_code = to_wire(ErrorCode::unknown_topic_or_partition);
      out.error_message = "only " + std::string(metadata_topic) + ", partition 0, has a quorum";
    }
  }
  return response;
}

}  // namespace

Task<DescribeQuorumResponse> describe_quorum(RequestContext& context,
                                             DescribeQuorumRequest request) {
  if (!asks_for_metadata(request)) co_return unknown(request);
  auto call = call_leader(context, request);
  Result<std::optional<DescribeQuorumResponse>> answered = co_await std::move(call);
  if (!answered) co_return failure(answered.error());
  if (*answered) co_return std::move(**answered);
  Quorum* const quorum = context.broker().quorum;
  if (quorum == nullptr) co_return answer(alone(context));
  auto work = [quorum] { return quorum->describe(); };
  auto hop = on(context.broker().shards->first(), work);
  const Result<QuorumState> state = co_await hop;
  co_return state ? answer(*state) : failure(state.error());
}

}  // namespace chronik::broker
