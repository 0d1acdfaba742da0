#include <algorithm>
#include <map>

#include "broker/api/group_call.h"
#include "broker/api/groups.h"
#include "metadata/image.h"

namespace chronik::broker {

using protocol::ErrorCode;
using protocol::OffsetFetchRequest;
using protocol::OffsetFetchResponse;
using protocol::to_wire;
using FetchedGroup = OffsetFetchResponse::OffsetFetchResponseGroup;
using FetchedTopic = OffsetFetchResponse::OffsetFetchResponseTopics;
using FetchedPartition = OffsetFetchResponse::OffsetFetchResponsePartitions;

namespace {

constexpr std::int16_t top_level_error_since = 2;
constexpr std::int16_t batched_since = 8;
constexpr std::int16_t topic_ids_since = 10;

FetchedPartition no_offset(PartitionId partition, ErrorCode error) {
  FetchedPartition none;
  none.partition_index = partition;
  none.committed_offset = -1;
  none.error_code = to_wire(error);
  return none;
}

FetchedPartition fetched_partition(const metadata::CommittedOffset& offset) {
  FetchedPartition fetched;
  fetched.partition_index = offset.partition;
  fetched.committed_offset = offset.offset;
  fetched.committed_leader_epoch = offset.leader_epoch;
  fetched.metadata = offset.metadata;
  return fetched;
}

/// About what it takes in memory and on the wire.
std::size_t bytes_of(const FetchedPartition& partition) {
  return sizeof partition + partition.metadata->size();
}

/// What was asked for; an offset that was never committed is -1, and no error.
void fetch_named(bool by_id, const metadata::Image& image, const metadata::OffsetTable* offsets,
                 const std::vector<OffsetFetchRequest::OffsetFetchRequestTopics>& topics,
                 FetchedGroup& group, std::size_t& bytes) {
  group.topics.reserve(topics.size());
  for (const OffsetFetchRequest::OffsetFetchRequestTopics& asked : topics) {
    const metadata::Topic* topic = by_id ? image.topic(asked.topic_id) : image.topic(asked.name);
    FetchedTopic& to = group.topics.emplace_back();
    to.name = asked.name;
    to.topic_id = asked.topic_id;
    const ErrorCode error =
        by_id && topic == nullptr ? ErrorCode::unknown_topic_id : ErrorCode::none;
    for (const PartitionId partition : asked.partition_indexes) {
      if (bytes > group_response_bytes_max) return;
      const metadata::CommittedOffset* offset =
          offsets == nullptr || topic == nullptr ? nullptr : offsets->find(topic->id, partition);
      to.partitions.push_back(offset == nullptr ? no_offset(partition, error)
                                                : fetched_partition(*offset));
      bytes += bytes_of(to.partitions.back());
    }
  }
}

void fetch_all(const metadata::Image& image, const metadata::OffsetTable& offsets,
               FetchedGroup& group, std::size_t& bytes) {
  std::map<std::string_view, FetchedTopic> topics;
  offsets.for_each([&](const Uuid& topic_id, const metadata::CommittedOffset& offset) {
    const metadata::Topic* topic = image.topic(topic_id);
    if (topic == nullptr || bytes > group_response_bytes_max) return;
    FetchedTopic& to = topics[topic->name];
    to.name = topic->name;
    to.topic_id = topic_id;
    to.partitions.push_back(fetched_partition(offset));
    bytes += bytes_of(to.partitions.back());
  });
  group.topics.reserve(topics.size());
  for (auto& [name, topic] : topics) {
    std::sort(topic.partitions.begin(), topic.partitions.end(),
              [](const auto& a, const auto& b) { return a.partition_index < b.partition_index; });
    group.topics.push_back(std::move(topic));
  }
}

/// On the coordinator's shard. Every commit that was answered is in its image, and there are no
/// transactions, so require_stable asks for nothing more.
std::vector<FetchedGroup> fetch(
    const GroupCoordinator& groups, std::int16_t version,
    const std::vector<OffsetFetchRequest::OffsetFetchRequestGroup>& asked) {
  const std::shared_ptr<const metadata::Image> image = groups.image();
  std::vector<FetchedGroup> fetched;
  std::size_t bytes = 0;
  for (const OffsetFetchRequest::OffsetFetchRequestGroup& from : asked) {
    FetchedGroup& group = fetched.emplace_back();
    group.group_id = from.group_id;
    if (!groups.running()) {
      // Consumers before 3.9 do not know COORDINATOR_NOT_AVAILABLE here; this they do.
      group.error_code = to_wire(ErrorCode::not_coordinator);
      continue;
    }
    const metadata::OffsetTable* offsets = groups.offsets(*image, from.group_id);
    if (from.topics) {
      fetch_named(version >= topic_ids_since, *image, offsets, *from.topics, group, bytes);
    } else if (offsets != nullptr) {
      fetch_all(*image, *offsets, group, bytes);
    }
    if (bytes > group_response_bytes_max) {
      group.topics.clear();
      group.error_code = to_wire(ErrorCode::invalid_request);
    }
  }
  return fetched;
}

/// Up to version 7 one group is asked for, in the request itself.
OffsetFetchRequest::OffsetFetchRequestGroup only_group(OffsetFetchRequest& request) {
  OffsetFetchRequest::OffsetFetchRequestGroup group;
  group.group_id = std::move(request.group_id);
  if (!request.topics) {
    group.topics.reset();
    return group;
  }
  for (OffsetFetchRequest::OffsetFetchRequestTopic& topic : *request.topics) {
    OffsetFetchRequest::OffsetFetchRequestTopics& to = group.topics->emplace_back();
    to.name = std::move(topic.name);
    to.partition_indexes = std::move(topic.partition_indexes);
  }
  return group;
}

void answer_only_group(std::int16_t version, FetchedGroup& group, OffsetFetchResponse& response) {
  response.error_code = group.error_code;
  const bool error_below = version < top_level_error_since;
  response.topics.reserve(group.topics.size());
  for (FetchedTopic& topic : group.topics) {
    OffsetFetchResponse::OffsetFetchResponseTopic& to = response.topics.emplace_back();
    to.name = std::move(topic.name);
    to.partitions.reserve(topic.partitions.size());
    for (FetchedPartition& from : topic.partitions) {
      OffsetFetchResponse::OffsetFetchResponsePartition& partition = to.partitions.emplace_back();
      partition.partition_index = from.partition_index;
      partition.committed_offset = from.committed_offset;
      partition.committed_leader_epoch = from.committed_leader_epoch;
      partition.metadata = std::move(from.metadata);
      partition.error_code =
          error_below && group.error_code != 0 ? group.error_code : from.error_code;
    }
  }
}

}  // namespace

Task<OffsetFetchResponse> offset_fetch(RequestContext& context, OffsetFetchRequest request) {
  const std::int16_t version = context.version();
  const bool batched = version >= batched_since;
  if (!batched) request.groups.push_back(only_group(request));
  const GroupCoordinator& groups = *context.broker().groups;
  auto work = [&groups, &request, version] { return fetch(groups, version, request.groups); };
  auto hop = on(context.broker().shards->first(), work);
  std::vector<FetchedGroup> fetched = co_await hop;
  OffsetFetchResponse response;
  if (batched) {
    response.groups = std::move(fetched);
  } else {
    answer_only_group(version, fetched.front(), response);
  }
  co_return response;
}

}  // namespace chronik::broker
