// DescribeProducers (key 61): the idempotent producers that a partition remembers (KIP-664).
#include <utility>
#include <vector>

#include "broker/api/handlers.h"
#include "broker/api/partition_calls.h"
#include "protocol/errors.h"
#include "protocol/messages/describe_producers.h"

namespace chronik::broker {

namespace {

using protocol::DescribeProducersRequest;
using protocol::DescribeProducersResponse;
using protocol::ErrorCode;

struct Target {
  Uuid topic_id;
  PartitionId partition;
  DescribeProducersResponse::PartitionResponse* response;
};

void set_error(DescribeProducersResponse::PartitionResponse& response, ErrorCode error) {
  response.error_code = static_cast<std::int16_t>(error);
  response.error_message = std::string(protocol::error_message(error));
}

Task<void> describe_all(ShardData& data, std::vector<Target*>& targets) {
  for (const Target* target : targets) {
    Partition* partition = find_partition(data, *target);
    if (partition == nullptr) {
      set_error(*target->response, ErrorCode::unknown_topic_or_partition);
      continue;
    }
    for (const ActiveProducer& producer : partition->producers().active()) {
      DescribeProducersResponse::ProducerState state;
      state.producer_id = producer.id;
      state.producer_epoch = producer.epoch;
      state.last_sequence = producer.last_sequence;
      state.last_timestamp = producer.last_timestamp;
      state.coordinator_epoch = -1;
      target->response->active_producers.push_back(std::move(state));
    }
  }
  co_return;
}

}  // namespace

Task<DescribeProducersResponse> describe_producers(RequestContext& context,
                                                   DescribeProducersRequest request) {
  DescribeProducersResponse response;
  const metadata::Image& image = context.broker().data(context.shard()).image();
  std::vector<Target> targets;
  response.topics.resize(request.topics.size());
  for (std::size_t t = 0; t < request.topics.size(); ++t) {
    const auto& asked = request.topics[t];
    const metadata::Topic* topic = image.topic(asked.name);
    response.topics[t].name = asked.name;
    response.topics[t].partitions.resize(asked.partition_indexes.size());
    for (std::size_t p = 0; p < asked.partition_indexes.size(); ++p) {
      auto& answer = response.topics[t].partitions[p];
      answer.partition_index = asked.partition_indexes[p];
      const ErrorCode error = check_served_here(context.broker(), topic, answer.partition_index);
      if (error != ErrorCode::none) {
        set_error(answer, error);
      } else {
        targets.push_back({topic->id, answer.partition_index, &answer});
      }
    }
  }
  auto start = [](ShardData& data, std::vector<Target*>& there) {
    return describe_all(data, there);
  };
  Task<void> calls = call_partitions(context, targets, start);
  co_await std::move(calls);
  co_return response;
}

}  // namespace chronik::broker
