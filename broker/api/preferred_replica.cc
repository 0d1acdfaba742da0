#include "broker/api/preferred_replica.h"

#include <algorithm>
#include <map>
#include <utility>

#include "broker/api/other_nodes.h"
#include "broker/api/partition_calls.h"
#include "broker/api/replica_lists.h"
#include "broker/settings/live_settings.h"
#include "protocol/codec.h"
#include "protocol/errors.h"
#include "protocol/messages/fetch.h"

namespace chronik::broker {

namespace {

using protocol::ErrorCode;
using protocol::FetchRequest;
using protocol::FetchResponse;

// A replica that is not so far by then is no good place to read from at the moment.
constexpr milliseconds replica_patience{100};
constexpr milliseconds answer_timeout{300};

/// A partition that a replica is asked about.
struct Asked {
  std::size_t place = 0;  // in the consumer's request
  Uuid topic_id;
  PartitionId partition = 0;
  LeaderEpoch epoch = no_leader_epoch;
  Offset from = 0;  // what the consumer reads next
  Offset high_watermark = 0;
};

bool is_in_rack(const Broker& broker, BrokerId id, const std::string& rack) {
  const metadata::BrokerRegistered* registered = broker.metadata->image()->broker(id);
  return registered != nullptr && registered->rack == rack;
}

/// -1: none but the leader. Of several, the partitions go round them.
BrokerId replica_in_rack(const Broker& broker, const PartitionLeader& leader, PartitionId partition,
                         const std::string& rack) {
  std::vector<BrokerId> near;
  for (const BrokerId replica : leader.in_sync) {
    const bool usable = replica != broker.node.id && is_in_rack(broker, replica, rack) &&
                        !is_gone(*broker.metadata, replica);
    if (usable) near.push_back(replica);
  }
  if (near.empty()) return -1;
  return near[static_cast<std::size_t>(partition) % near.size()];
}

std::map<BrokerId, std::vector<Asked>> candidates(
    RequestContext& context, const std::string& rack,
    const std::vector<std::shared_ptr<FetchPartition>>& partitions,
    const std::vector<ReadResult>& results) {
  Broker& broker = context.broker();
  const metadata::Image& image = *broker.metadata->image();
  std::map<BrokerId, std::vector<Asked>> by_replica;
  for (std::size_t i = 0; i < partitions.size(); ++i) {
    const FetchPartition& asked = *partitions[i];
    const ReadResult& result = results[i];
    if (result.error != ErrorCode::none || result.diverging) continue;
    if (asked.fetch_offset > result.high_watermark) continue;
    const metadata::Topic* topic =
        asked.topic_id.is_zero() ? image.topic(asked.topic) : image.topic(asked.topic_id);
    if (topic == nullptr || !topic->has_partition(asked.partition)) continue;
    const PartitionLeader leader = broker.metadata->leader_of(*topic, asked.partition);
    if (leader.leader != broker.node.id) continue;
    const BrokerId replica = replica_in_rack(broker, leader, asked.partition, rack);
    if (replica < 0) continue;
    by_replica[replica].push_back(
        {i, topic->id, asked.partition, leader.epoch, asked.fetch_offset, result.high_watermark});
  }
  return by_replica;
}

/// One topic for each partition, so that the answer has them in the same order.
FetchRequest question(const std::vector<Asked>& partitions) {
  FetchRequest request;
  request.max_wait_ms = static_cast<std::int32_t>(replica_patience.count());
  for (const Asked& asked : partitions) {
    auto& topic = request.topics.emplace_back();
    topic.topic_id = asked.topic_id;
    auto& partition = topic.partitions.emplace_back();
    partition.partition = asked.partition;
    partition.current_leader_epoch = asked.epoch;
    partition.fetch_offset = asked.high_watermark;
  }
  return request;
}

bool is_fit(const FetchResponse::FetchableTopicResponse& topic, const Asked& asked) {
  if (topic.topic_id != asked.topic_id || topic.partitions.size() != 1) return false;
  const FetchResponse::PartitionData& answer = topic.partitions[0];
  return answer.partition_index == asked.partition && answer.error_code == 0 &&
         answer.high_watermark >= asked.high_watermark && answer.log_start_offset <= asked.from;
}

/// Notes the replica for those partitions that it says yes to.
Task<void> ask_replica(OtherNodes* nodes, BrokerId replica, const std::vector<Asked>* partitions,
                       std::vector<BrokerId>* preferred) {
  constexpr std::int16_t version = FetchRequest::max_version;
  Writer writer;
  protocol::encode(writer, version, question(*partitions));
  auto asking = nodes->ask_node(replica, FetchRequest::api_key, version,
                                SharedBytes::adopt(writer.take_bytes()), answer_timeout);
  Result<SharedBytes> answer = co_await std::move(asking);
  if (!answer) co_return;
  Reader reader(*std::move(answer));
  FetchResponse response;
  if (!protocol::decode(reader, version, response)) co_return;
  if (response.responses.size() != partitions->size()) co_return;
  for (std::size_t i = 0; i < partitions->size(); ++i) {
    const Asked& asked = (*partitions)[i];
    if (is_fit(response.responses[i], asked)) (*preferred)[asked.place] = replica;
  }
}

}  // namespace

bool reads_elsewhere(RequestContext& context, const std::string& rack) {
  const Broker& broker = context.broker();
  return !rack.empty() && broker.nodes != nullptr && broker.node.rack != rack &&
         broker.settings->current()->settings.reads_in_rack;
}

Task<std::vector<BrokerId>> preferred_replicas(
    RequestContext& context, std::string rack,
    const std::vector<std::shared_ptr<FetchPartition>>& partitions,
    const std::vector<ReadResult>& results) {
  const std::map<BrokerId, std::vector<Asked>> by_replica =
      candidates(context, rack, partitions, results);
  if (by_replica.empty()) co_return std::vector<BrokerId>();
  // On the first shard they are written, and read here when all have answered.
  std::vector<BrokerId> preferred(partitions.size(), -1);
  Scatter scatter;
  for (const auto& [replica, asked] : by_replica) {
    auto ask = [nodes = context.broker().nodes, id = replica, about = &asked, to = &preferred] {
      return ask_replica(nodes, id, about, to);
    };
    scatter.start(context.broker().shards->first(), std::move(ask));
  }
  Future<void> all = scatter.all();
  co_await all;
  const bool any = std::ranges::any_of(preferred, [](BrokerId replica) { return replica >= 0; });
  if (!any) preferred.clear();
  co_return preferred;
}

namespace {

/// A partition of which a leader asks.
struct Target {
  Uuid topic_id;
  PartitionId partition;
  LeaderEpoch epoch;
  Offset high_watermark;
  FetchResponse::PartitionData* response;
};

Task<void> tell_all(ShardData& data, std::vector<Target*>& targets, SteadyTime limit) {
  struct Wait {
    const Target* target;
    Future<WaitEnd> committed;
  };
  std::vector<Wait> waits;
  for (const Target* target : targets) {
    Partition* partition = data.partitions.find(target->topic_id, target->partition);
    ErrorCode error = ErrorCode::not_leader_or_follower;
    if (partition != nullptr && partition->may_be_read_as_follower()) {
      error = partition->check_leader_epoch(target->epoch);
    }
    target->response->error_code = static_cast<std::int16_t>(error);
    if (error != ErrorCode::none) continue;
    waits.push_back({target, partition->reached(target->high_watermark, limit)});
  }
  if (!waits.empty()) data.partitions.limit_waits(limit);
  for (Wait& wait : waits) {
    const WaitEnd end = co_await wait.committed;
    FetchResponse::PartitionData& response = *wait.target->response;
    Partition* partition = data.partitions.find(wait.target->topic_id, wait.target->partition);
    if (end != WaitEnd::reached || partition == nullptr) {
      response.error_code = static_cast<std::int16_t>(ErrorCode::offset_not_available);
      continue;
    }
    response.high_watermark = partition->high_watermark();
    response.log_start_offset = partition->log_start_offset();
  }
}

}  // namespace

Task<FetchResponse> answer_leader(RequestContext& context, FetchRequest request) {
  FetchResponse response;
  std::vector<Target> targets;
  response.responses.resize(request.topics.size());
  for (std::size_t t = 0; t < request.topics.size(); ++t) {
    const FetchRequest::FetchTopic& from = request.topics[t];
    FetchResponse::FetchableTopicResponse& to = response.responses[t];
    to.topic_id = from.topic_id;
    to.partitions.resize(from.partitions.size());
    for (std::size_t p = 0; p < from.partitions.size(); ++p) {
      const FetchRequest::FetchPartition& asked = from.partitions[p];
      to.partitions[p].partition_index = asked.partition;
      targets.push_back({from.topic_id, asked.partition, asked.current_leader_epoch,
                         asked.fetch_offset, &to.partitions[p]});
    }
  }
  const SteadyTime limit = context.shard().now() + milliseconds(std::max(request.max_wait_ms, 0));
  auto start = [limit](ShardData& data, std::vector<Target*>& there) {
    return tell_all(data, there, limit);
  };
  Task<void> calls = call_partitions(context, targets, start);
  co_await std::move(calls);
  co_return response;
}

}  // namespace chronik::broker
