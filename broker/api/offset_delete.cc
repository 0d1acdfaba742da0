#include "broker/api/group_call.h"
#include "broker/api/groups.h"
#include "broker/runtime/metadata_view.h"
#include "metadata/image.h"

namespace chronik::broker {

using protocol::ErrorCode;
using protocol::OffsetDeleteRequest;
using protocol::OffsetDeleteResponse;
using protocol::to_wire;

Task<OffsetDeleteResponse> offset_delete(RequestContext& context, OffsetDeleteRequest request) {
  OffsetDeleteResponse response;
  OffsetDelete deletion;
  deletion.group_id = std::move(request.group_id);
  std::vector<std::int16_t*> answers;  // of the partitions in `deletion`
  const std::shared_ptr<const metadata::Image> image = context.broker().metadata->image();
  response.topics.reserve(request.topics.size());
  for (OffsetDeleteRequest::OffsetDeleteRequestTopic& from : request.topics) {
    const metadata::Topic* topic = image->topic(from.name);
    OffsetDeleteResponse::OffsetDeleteResponseTopic& answer = response.topics.emplace_back();
    answer.name = std::move(from.name);
    answer.partitions.reserve(from.partitions.size());
    metadata::OffsetsDeleted::Topic deleted;
    for (const OffsetDeleteRequest::OffsetDeleteRequestPartition& partition : from.partitions) {
      OffsetDeleteResponse::OffsetDeleteResponsePartition& one = answer.partitions.emplace_back();
      one.partition_index = partition.partition_index;
      if (topic == nullptr || !topic->has_partition(partition.partition_index)) {
        one.error_code = to_wire(ErrorCode::unknown_topic_or_partition);
        continue;
      }
      answers.push_back(&one.error_code);
      deleted.partitions.push_back(partition.partition_index);
    }
    if (deleted.partitions.empty()) continue;
    deleted.topic_id = topic->id;
    deleted.name = topic->name;
    deletion.topics.push_back(std::move(deleted));
  }
  GroupCoordinator& groups = *context.broker().groups;
  auto work = [&groups, &deletion] { return groups.delete_offsets(std::move(deletion)); };
  auto hop = on(context.broker().shards->first(), work);
  const OffsetChangeResult result = co_await hop;
  if (result.error != ErrorCode::none) {
    response.error_code = to_wire(result.error);
    response.topics.clear();
    co_return response;
  }
  for (std::size_t i = 0; i < answers.size(); ++i) *answers[i] = to_wire(result.partitions[i]);
  co_return response;
}

}  // namespace chronik::broker
