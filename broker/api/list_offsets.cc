// ListOffsets (key 2): offsets by time, and the special timestamps: latest, earliest, greatest
// timestamp (KIP-734), and those of tiered storage (KIP-405, KIP-1005, KIP-1023), which this broker
// does not have.
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "broker/api/handlers.h"
#include "broker/api/partition_calls.h"
#include "protocol/errors.h"
#include "protocol/messages/list_offsets.h"

namespace chronik::broker {

namespace {

using protocol::ErrorCode;
using protocol::ListOffsetsRequest;
using protocol::ListOffsetsResponse;
using PartitionResponse = ListOffsetsResponse::ListOffsetsPartitionResponse;

constexpr Timestamp latest = -1;
constexpr Timestamp earliest = -2;
constexpr Timestamp greatest_timestamp = -3;
constexpr Timestamp earliest_local = -4;
constexpr Timestamp latest_tiered = -5;
constexpr Timestamp earliest_pending_upload = -6;

struct Target {
  Uuid topic_id;
  PartitionId partition;
  LeaderEpoch current_leader_epoch;
  Timestamp timestamp;
  PartitionResponse* response;
};

void set_error(PartitionResponse& response, ErrorCode error) {
  response.error_code = static_cast<std::int16_t>(error);
  response.timestamp = -1;
  response.offset = -1;
}

void set_found(PartitionResponse& response,
               const Result<std::optional<wal::TimestampOffset>>& found,
               const Partition& partition) {
  if (!found) {
    log_error("a look-up by time failed", {{"topic", partition.identity().topic},
                                           {"partition", partition.identity().partition},
                                           {"error", found.error().message}});
    set_error(response, found.error().code == Errc::corrupt ? ErrorCode::corrupt_message
                                                            : ErrorCode::kafka_storage_error);
    return;
  }
  if (!found->has_value()) return;
  response.timestamp = (*found)->timestamp;
  response.offset = (*found)->offset;
  response.leader_epoch = (*found)->leader_epoch;
}

/// The epoch of the first entry at or after `offset`; -1 on an empty log.
LeaderEpoch epoch_of_start(wal::PartitionLog& log) {
  const std::optional<LeaderEpoch> epoch = log.epoch_at(log.start_index());
  return epoch.value_or(no_leader_epoch);
}

void look_up(Partition& partition, const Target& target) {
  PartitionResponse& response = *target.response;
  const ErrorCode fenced = partition.check_leader_epoch(target.current_leader_epoch);
  if (fenced != ErrorCode::none) return set_error(response, fenced);
  wal::PartitionLog& log = partition.log();
  switch (target.timestamp) {
    case latest:
      response.offset = partition.high_watermark();
      response.leader_epoch = log.last_epoch();
      return;
    case earliest:
    case earliest_local:
      response.offset = partition.log_start_offset();
      response.leader_epoch = epoch_of_start(log);
      return;
    case latest_tiered:
    case earliest_pending_upload:
      return;
    case greatest_timestamp:
      return set_found(response, log.find_max_timestamp(partition.high_watermark()), partition);
    default:
      return set_found(response, log.find_by_time(target.timestamp, partition.high_watermark()),
                       partition);
  }
}

Task<void> look_up_all(ShardData& data, std::vector<Target*>& targets) {
  for (const Target* target : targets) {
    Partition* partition = find_partition(data, *target);
    if (partition == nullptr) {
      set_error(*target->response, ErrorCode::unknown_topic_or_partition);
    } else {
      look_up(*partition, *target);
    }
  }
  co_return;
}

/// Whether this version of the request may ask for the timestamp.
bool allowed(Timestamp timestamp, std::int16_t version) {
  if (timestamp >= earliest) return true;
  if (timestamp == greatest_timestamp) return version >= 7;
  if (timestamp == earliest_local) return version >= 8;
  if (timestamp == latest_tiered) return version >= 9;
  return timestamp == earliest_pending_upload && version >= 11;
}

}  // namespace

Task<ListOffsetsResponse> list_offsets(RequestContext& context, ListOffsetsRequest request) {
  ListOffsetsResponse response;
  const metadata::Image& image = context.broker().data(context.shard()).image();
  std::vector<Target> targets;
  std::set<std::pair<std::string_view, PartitionId>> seen;
  std::set<std::pair<std::string_view, PartitionId>> repeated;
  for (const auto& topic : request.topics) {
    for (const auto& partition : topic.partitions) {
      const std::pair<std::string_view, PartitionId> key{topic.name, partition.partition_index};
      if (!seen.insert(key).second) repeated.insert(key);
    }
  }
  response.topics.resize(request.topics.size());
  for (std::size_t t = 0; t < request.topics.size(); ++t) {
    const auto& asked_topic = request.topics[t];
    const metadata::Topic* topic = image.topic(asked_topic.name);
    auto& answer_topic = response.topics[t];
    answer_topic.name = asked_topic.name;
    answer_topic.partitions.resize(asked_topic.partitions.size());
    for (std::size_t p = 0; p < asked_topic.partitions.size(); ++p) {
      const auto& asked = asked_topic.partitions[p];
      PartitionResponse& answer = answer_topic.partitions[p];
      answer.partition_index = asked.partition_index;
      if (repeated.contains({asked_topic.name, asked.partition_index})) {
        set_error(answer, ErrorCode::invalid_request);
      } else if (const ErrorCode error =
                     check_served_here(context.broker(), topic, asked.partition_index);
                 error != ErrorCode::none) {
        set_error(answer, error);
      } else if (!allowed(asked.timestamp, context.version())) {
        set_error(answer, ErrorCode::unsupported_version);
      } else {
        targets.push_back({topic->id, asked.partition_index, asked.current_leader_epoch,
                           asked.timestamp, &answer});
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
