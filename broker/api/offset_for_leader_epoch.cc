// OffsetForLeaderEpoch (key 23): where a leader epoch ends, so that a consumer can tell whether its
// position survived a change of leader (KIP-320).
#include <utility>
#include <vector>

#include "broker/api/handlers.h"
#include "broker/api/partition_calls.h"
#include "protocol/errors.h"
#include "protocol/messages/offset_for_leader_epoch.h"

namespace chronik::broker {

namespace {

using protocol::ErrorCode;
using protocol::OffsetForLeaderEpochRequest;
using protocol::OffsetForLeaderEpochResponse;

struct Target {
  Uuid topic_id;
  PartitionId partition;
  LeaderEpoch current_leader_epoch;
  LeaderEpoch asked;
  OffsetForLeaderEpochResponse::EpochEndOffset* response;
};

void set_error(OffsetForLeaderEpochResponse::EpochEndOffset& response, ErrorCode error) {
  response.error_code = static_cast<std::int16_t>(error);
}

Task<void> look_up_all(ShardData& data, std::vector<Target*>& targets) {
  for (const Target* target : targets) {
    Partition* partition = find_partition(data, *target);
    if (partition == nullptr) {
      set_error(*target->response, ErrorCode::unknown_topic_or_partition);
      continue;
    }
    const ErrorCode fenced = partition->check_leader_epoch(target->current_leader_epoch);
    if (fenced != ErrorCode::none) {
      set_error(*target->response, fenced);
      continue;
    }
    if (const auto end = partition->log().end_offset_for_epoch(target->asked)) {
      target->response->leader_epoch = end->epoch;
      target->response->end_offset = end->end_offset;
    }
  }
  co_return;
}

}  // namespace

Task<OffsetForLeaderEpochResponse> offset_for_leader_epoch(RequestContext& context,
                                                           OffsetForLeaderEpochRequest request) {
  OffsetForLeaderEpochResponse response;
  const metadata::Image& image = context.broker().data(context.shard()).image();
  std::vector<Target> targets;
  response.topics.resize(request.topics.size());
  for (std::size_t t = 0; t < request.topics.size(); ++t) {
    const auto& asked_topic = request.topics[t];
    const metadata::Topic* topic = image.topic(asked_topic.topic);
    response.topics[t].topic = asked_topic.topic;
    response.topics[t].partitions.resize(asked_topic.partitions.size());
    for (std::size_t p = 0; p < asked_topic.partitions.size(); ++p) {
      const auto& asked = asked_topic.partitions[p];
      auto& answer = response.topics[t].partitions[p];
      answer.partition = asked.partition;
      const ErrorCode error = check_served_here(context.broker(), topic, asked.partition);
      if (error != ErrorCode::none) {
        set_error(answer, error);
      } else {
        targets.push_back(
            {topic->id, asked.partition, asked.current_leader_epoch, asked.leader_epoch, &answer});
      }
    }
  }
  auto start = [](ShardData& data, std::vector<Target*>& there) {
    return look_up_all(data, there);
  };
  Task<void> calls = call_partitions(context, targets, start);
  co_await std::move(calls);
  co_return response;
}

}  // namespace chronik::broker
