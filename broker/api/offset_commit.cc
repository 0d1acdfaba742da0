#include "broker/api/group_call.h"
#include "broker/api/groups.h"
#include "broker/runtime/metadata_view.h"
#include "metadata/image.h"

namespace chronik::broker {

using protocol::ErrorCode;
using protocol::OffsetCommitRequest;
using protocol::OffsetCommitResponse;
using protocol::to_wire;

namespace {

constexpr std::int16_t group_not_found_since = 9;
constexpr std::int16_t topic_ids_since = 10;

/// Where in the response the answer for a committed partition belongs.
struct Place {
  std::size_t topic;
  std::size_t partition;
};

/// Answers what does not exist, and puts the rest into `commit`. Partitions are answered in the
/// order of the request.
std::vector<Place> sort_out(std::int16_t version, const metadata::Image& image,
                            OffsetCommitRequest& request, OffsetCommitResponse& response,
                            OffsetCommit& commit) {
  const bool by_id = version >= topic_ids_since;
  std::vector<Place> places;
  response.topics.reserve(request.topics.size());
  for (OffsetCommitRequest::OffsetCommitRequestTopic& from : request.topics) {
    const metadata::Topic* topic = by_id ? image.topic(from.topic_id) : image.topic(from.name);
    const ErrorCode unknown = topic == nullptr && by_id ? ErrorCode::unknown_topic_id
                                                        : ErrorCode::unknown_topic_or_partition;
    OffsetCommitResponse::OffsetCommitResponseTopic& answer = response.topics.emplace_back();
    answer.name = std::move(from.name);
    answer.topic_id = from.topic_id;
    metadata::OffsetsCommitted::Topic committed;
    for (OffsetCommitRequest::OffsetCommitRequestPartition& partition : from.partitions) {
      OffsetCommitResponse::OffsetCommitResponsePartition& one = answer.partitions.emplace_back();
      one.partition_index = partition.partition_index;
      if (topic == nullptr || !topic->has_partition(partition.partition_index)) {
        one.error_code = to_wire(unknown);
        continue;
      }
      places.push_back({response.topics.size() - 1, answer.partitions.size() - 1});
      metadata::OffsetsCommitted::Partition& to = committed.partitions.emplace_back();
      to.partition_index = partition.partition_index;
      to.committed_offset = partition.committed_offset;
      to.committed_leader_epoch = partition.committed_leader_epoch;
      if (partition.committed_metadata) to.metadata = std::move(*partition.committed_metadata);
    }
    if (topic == nullptr || committed.partitions.empty()) continue;
    committed.topic_id = topic->id;
    committed.name = topic->name;
    commit.topics.push_back(std::move(committed));
  }
  return places;
}

}  // namespace

Task<OffsetCommitResponse> offset_commit(RequestContext& context, OffsetCommitRequest request) {
  OffsetCommitResponse response;
  OffsetCommit commit;
  const std::vector<Place> places =
      sort_out(context.version(), *context.broker().metadata->image(), request, response, commit);
  if (places.empty()) co_return response;

  commit.group_id = std::move(request.group_id);
  commit.who.member_id = std::move(request.member_id);
  commit.who.group_instance_id = std::move(request.group_instance_id);
  commit.who.generation = request.generation_id_or_member_epoch;
  commit.retention_ms = request.retention_time_ms;
  commit.knows_group_not_found = context.version() >= group_not_found_since;
  GroupCoordinator& groups = *context.broker().groups;
  auto work = [&groups, &commit] { return groups.commit(std::move(commit)); };
  auto hop = on(context.broker().shards->first(), work);
  const OffsetChangeResult result = co_await hop;
  for (std::size_t i = 0; i < places.size(); ++i) {
    const ErrorCode error = result.error != ErrorCode::none ? result.error : result.partitions[i];
    response.topics[places[i].topic].partitions[places[i].partition].error_code = to_wire(error);
  }
  co_return response;
}

}  // namespace chronik::broker
