// DescribeTopicPartitions (key 75): topics and their partitions, page by page (KIP-966).
#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "broker/api/authorized_operations.h"
#include "broker/api/handlers.h"
#include "broker/api/replica_lists.h"
#include "broker/broker.h"
#include "broker/partition/shard_data.h"
#include "broker/settings/live_settings.h"
#include "metadata/apply.h"
#include "protocol/errors.h"
#include "protocol/messages/describe_topic_partitions.h"

namespace chronik::broker {

namespace {

using protocol::DescribeTopicPartitionsRequest;
using protocol::DescribeTopicPartitionsResponse;
using protocol::ErrorCode;
using TopicAnswer = DescribeTopicPartitionsResponse::DescribeTopicPartitionsResponseTopic;
using PartitionAnswer = DescribeTopicPartitionsResponse::DescribeTopicPartitionsResponsePartition;

/// In order of name, from the cursor on.
std::set<std::string> names_asked(const DescribeTopicPartitionsRequest& request,
                                  const metadata::Image& image) {
  std::set<std::string> names;
  for (const auto& topic : request.topics) names.insert(topic.name);
  if (request.topics.empty()) {
    image.for_each_topic([&names](const std::shared_ptr<const metadata::Topic>& topic) {
      names.insert(topic->name);
    });
  }
  if (request.cursor) names.erase(names.begin(), names.lower_bound(request.cursor->topic_name));
  return names;
}

PartitionAnswer answer_partition(const metadata::Topic& topic, PartitionId index,
                                 const MetadataView& view) {
  const metadata::Partition& partition = topic.partitions[static_cast<std::size_t>(index)];
  PartitionAnswer answer;
  answer.partition_index = index;
  const PartitionLeader leader = view.leader_of(topic, index);
  answer.leader_id = leader.leader;
  answer.leader_epoch = leader.epoch;
  answer.replica_nodes = partition.replicas;
  answer.isr_nodes = in_sync_replicas(view, partition, leader);
  answer.offline_replicas = offline_replicas(view, partition);
  answer.eligible_leader_replicas.emplace();
  answer.last_known_elr.emplace();
  return answer;
}

}  // namespace

Task<DescribeTopicPartitionsResponse> describe_topic_partitions(
    RequestContext& context, DescribeTopicPartitionsRequest request) {
  DescribeTopicPartitionsResponse response;
  if (request.cursor && request.cursor->partition_index < 0) {
    for (const auto& topic : request.topics) {
      TopicAnswer& answer = response.topics.emplace_back();
      answer.name = topic.name;
      answer.error_code = static_cast<std::int16_t>(ErrorCode::invalid_request);
    }
    co_return response;
  }
  Broker& broker = context.broker();
  const metadata::Image& image = broker.data(context.shard()).image();
  std::int32_t left =
      std::min(request.response_partition_limit,
               broker.settings->current()->settings.max_request_partition_size_limit);
  left = std::max(left, 1);
  for (const std::string& name : names_asked(request, image)) {
    if (left == 0) {
      response.next_cursor.emplace();
      response.next_cursor->topic_name = name;
      co_return response;
    }
    TopicAnswer& answer = response.topics.emplace_back();
    answer.name = name;
    answer.topic_authorized_operations = all_topic_operations;
    const metadata::Topic* topic = image.topic(name);
    if (topic == nullptr) {
      answer.error_code = static_cast<std::int16_t>(metadata::refuse_topic_name(name)
                                                        ? ErrorCode::invalid_topic_exception
                                                        : ErrorCode::unknown_topic_or_partition);
      continue;
    }
    answer.topic_id = topic->id;
    answer.is_internal = topic->internal;
    const bool continued = request.cursor && request.cursor->topic_name == name;
    PartitionId next = continued ? request.cursor->partition_index : 0;
    for (; next < topic->partition_count() && left > 0; ++next, --left) {
      answer.partitions.push_back(answer_partition(*topic, next, *broker.metadata));
    }
    if (next < topic->partition_count()) {
      response.next_cursor.emplace();
      response.next_cursor->topic_name = name;
      response.next_cursor->partition_index = next;
      co_return response;
    }
  }
  co_return response;
}

}  // namespace chronik::broker
