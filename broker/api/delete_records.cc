// DeleteRecords (key 21): moves the start of a partition's log forward. Answered when a restart
// would find it there, of any replica that is in sync: who led next with an earlier one would bring
// the records back. Leaders ask their followers by the same request.
#include <algorithm>
#include <utility>
#include <vector>

#include "base/log.h"
#include "broker/api/handlers.h"
#include "broker/api/partition_calls.h"
#include "protocol/errors.h"
#include "protocol/messages/delete_records.h"

namespace chronik::broker {

namespace {

using protocol::DeleteRecordsRequest;
using protocol::DeleteRecordsResponse;
using protocol::ErrorCode;
using PartitionResult = DeleteRecordsResponse::DeleteRecordsPartitionResult;

constexpr Offset high_watermark_asked = -1;

struct Target {
  Uuid topic_id;
  PartitionId partition;
  Offset offset;
  PartitionResult* response;
};

void set_error(PartitionResult& response, ErrorCode error) {
  response.error_code = static_cast<std::int16_t>(error);
  response.low_watermark = -1;
}

/// A follower is asked by its leader, and deletes what it knows to be committed.
bool is_replica_here(const Broker& broker, const metadata::Topic* topic, PartitionId index) {
  if (topic == nullptr || !topic->has_partition(index)) return false;
  const metadata::Partition& members = topic->partitions[static_cast<std::size_t>(index)];
  return members.has_group() &&
         std::ranges::find(members.replicas, broker.node.id) != members.replicas.end();
}

Task<void> follow_all(ShardData& data, std::vector<Target*>& targets, SteadyTime limit) {
  struct Wait {
    const Target* target;
    Future<WaitEnd> committed;
  };
  std::vector<Wait> waits;
  for (const Target* target : targets) {
    Partition* partition = find_partition(data, *target);
    if (partition == nullptr) {
      set_error(*target->response, ErrorCode::unknown_topic_or_partition);
      continue;
    }
    waits.push_back({target, partition->reached(target->offset, limit)});
  }
  if (!waits.empty() && limit != SteadyTime::max()) data.partitions.limit_waits(limit);
  for (Wait& wait : waits) {
    const WaitEnd end = co_await wait.committed;
    Partition* partition = find_partition(data, *wait.target);
    if (end != WaitEnd::reached || partition == nullptr ||
        !partition->delete_before(wait.target->offset)) {
      set_error(*wait.target->response, ErrorCode::request_timed_out);
      continue;
    }
    Future<WaitEnd> durable = partition->log_start_reached(wait.target->offset, limit);
    const WaitEnd durable_end = co_await durable;
    wait.target->response->low_watermark = wait.target->offset;
    if (durable_end != WaitEnd::reached) {
      set_error(*wait.target->response, ErrorCode::request_timed_out);
    }
  }
}

Task<void> delete_all(ShardData& data, std::vector<Target*>& targets, SteadyTime limit) {
  struct Wait {
    const Target* target;
    Offset offset;
    Future<WaitEnd> durable;
  };
  std::vector<Wait> waits;
  std::vector<Partition*> shortened;
  for (const Target* target : targets) {
    Partition* partition = find_partition(data, *target);
    if (partition == nullptr) {
      set_error(*target->response, ErrorCode::unknown_topic_or_partition);
      continue;
    }
    if (partition->settings().log->delete_old == false) {
      // A compacted topic is not shortened by hand: its tombstones are the way (KIP-107).
      set_error(*target->response, ErrorCode::policy_violation);
      continue;
    }
    const Offset offset =
        target->offset == high_watermark_asked ? partition->high_watermark() : target->offset;
    if (offset < 0) {
      set_error(*target->response, ErrorCode::offset_out_of_range);
      continue;
    }
    const Result<void> deleted = partition->delete_before(offset);
    if (!deleted) {
      set_error(*target->response, ErrorCode::offset_out_of_range);
      continue;
    }
    target->response->low_watermark = partition->log_start_offset();
    waits.push_back({target, offset, partition->log_start_reached(offset, limit)});
    shortened.push_back(partition);
  }
  data.partitions.tell_begins(shortened);
  if (!waits.empty() && limit != SteadyTime::max()) data.partitions.limit_waits(limit);
  for (Wait& wait : waits) {
    const WaitEnd end = co_await wait.durable;
    if (end == WaitEnd::deleted) {
      set_error(*wait.target->response, ErrorCode::unknown_topic_or_partition);
    } else if (end == WaitEnd::not_leader) {
      set_error(*wait.target->response, ErrorCode::not_leader_or_follower);
    } else if (end == WaitEnd::timed_out) {
      set_error(*wait.target->response, ErrorCode::request_timed_out);
    }
  }
}

}  // namespace

Task<DeleteRecordsResponse> delete_records(RequestContext& context, DeleteRecordsRequest request) {
  DeleteRecordsResponse response;
  const metadata::Image& image = context.broker().data(context.shard()).image();
  std::vector<Target> targets;
  const bool of_leader = context.connection().of_node;
  response.topics.resize(request.topics.size());
  for (std::size_t t = 0; t < request.topics.size(); ++t) {
    const auto& asked_topic = request.topics[t];
    const metadata::Topic* topic = image.topic(asked_topic.name);
    response.topics[t].name = asked_topic.name;
    response.topics[t].partitions.resize(asked_topic.partitions.size());
    for (std::size_t p = 0; p < asked_topic.partitions.size(); ++p) {
      const auto& asked = asked_topic.partitions[p];
      PartitionResult& answer = response.topics[t].partitions[p];
      answer.partition_index = asked.partition_index;
      const bool follows =
          of_leader && is_replica_here(context.broker(), topic, asked.partition_index);
      const ErrorCode error =
          follows ? ErrorCode::none
                  : check_served_here(context.broker(), topic, asked.partition_index);
      if (error != ErrorCode::none) {
        set_error(answer, error);
      } else {
        targets.push_back({topic->id, asked.partition_index, asked.offset, &answer});
      }
    }
  }
  const SteadyTime limit = wait_limit(context, request.timeout_ms);
  auto start = [limit, of_leader](ShardData& data, std::vector<Target*>& there) {
    return of_leader ? follow_all(data, there, limit) : delete_all(data, there, limit);
  };
  Task<void> calls = call_partitions(context, targets, start);
  co_await std::move(calls);
  co_return response;
}

}  // namespace chronik::broker
