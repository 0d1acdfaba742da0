// ListPartitionReassignments (key 46, KIP-455): the moves that are under way.
#include <algorithm>
#include <memory>
#include <utility>

#include "broker/api/error_map.h"
#include "broker/api/handlers.h"
#include "broker/broker.h"
#include "broker/partition/shard_data.h"
#include "broker/runtime/metadata_view.h"
#include "protocol/errors.h"
#include "protocol/messages/list_partition_reassignments.h"

namespace chronik::broker {

using protocol::ListPartitionReassignmentsRequest;
using protocol::ListPartitionReassignmentsResponse;
using TopicMoves = ListPartitionReassignmentsResponse::OngoingTopicReassignment;

namespace {

void add(TopicMoves& moves, const metadata::Topic& topic, PartitionId index) {
  if (!topic.has_partition(index)) return;
  const metadata::Partition& partition = topic.partitions[static_cast<std::size_t>(index)];
  if (!partition.is_reassigned()) return;
  // Who comes and is given up already goes.
  std::vector<BrokerId> adding = partition.adding;
  std::erase_if(adding, [&](BrokerId id) {
    return std::ranges::find(partition.removing, id) != partition.removing.end();
  });
  moves.partitions.push_back({index, partition.replicas, std::move(adding), partition.removing});
}

}  // namespace

Task<ListPartitionReassignmentsResponse> list_partition_reassignments(
    RequestContext& context, ListPartitionReassignmentsRequest request) {
  ListPartitionReassignmentsResponse response;
  response.error_message.reset();
  Task<Result<void>> catching_up = context.broker().metadata->catch_up();
  if (const Result<void> current = co_await std::move(catching_up); !current) {
    response.error_code = protocol::to_wire(to_error_code(current.error().code));
    response.error_message = current.error().message;
    co_return response;
  }
  const metadata::Image& image = context.broker().data(context.shard()).image();
  const auto take = [&response](TopicMoves moves) {
    if (!moves.partitions.empty()) response.topics.push_back(std::move(moves));
  };
  if (!request.topics) {
    image.for_each_topic([&](const std::shared_ptr<const metadata::Topic>& topic) {
      TopicMoves moves{topic->name, {}};
      for (PartitionId index = 0; index < topic->partition_count(); ++index) {
        add(moves, *topic, index);
      }
      take(std::move(moves));
    });
    co_return response;
  }
  for (const auto& asked : *request.topics) {
    const metadata::Topic* topic = image.topic(asked.name);
    if (topic == nullptr) continue;
    TopicMoves moves{asked.name, {}};
    for (const PartitionId index : asked.partition_indexes) add(moves, *topic, index);
    take(std::move(moves));
  }
  co_return response;
}

}  // namespace chronik::broker
