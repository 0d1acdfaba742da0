#include "broker/api/describe_replicas.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "broker/api/partition_calls.h"
#include "broker/broker.h"
#include "broker/runtime/metadata_view.h"

namespace chronik::broker {

namespace {

struct Target {
  Uuid topic_id;
  PartitionId partition;
  DescribeReplicasResponse::ReplicaData* response;
};

Task<void> describe_all(const MetadataView& view, ShardData& data, std::vector<Target*>& targets) {
  for (const Target* target : targets) {
    DescribeReplicasResponse::ReplicaData& to = *target->response;
    const Partition* partition = data.partitions.find(target->topic_id, target->partition);
    const metadata::Topic* topic = data.image().topic(target->topic_id);
    if (topic == nullptr || !topic->has_partition(target->partition)) continue;
    if (partition == nullptr || partition->replica() == nullptr) continue;
    raft::Replica& replica = *partition->replica();
    const raft::Raft& raft = replica.raft();
    const raft::Position last = raft.log().last();
    to.is_open = true;
    to.recovery = replica.group().recovery;
    to.term = std::max(raft.term(), view.leader_of(*topic, target->partition).epoch);
    to.last_term = last.term;
    to.last_index = last.index;
    to.end_offset = replica.store().log().end_offset();
    to.leads = partition->leads();
    to.withheld = raft.is_withheld();
    if (raft.membership().voters.empty()) continue;
    to.membership = to_bytes(raft::encode_membership(raft.membership()).view());
  }
  co_return;
}

}  // namespace

Task<DescribeReplicasResponse> describe_replicas(RequestContext& context,
                                                 DescribeReplicasRequest request) {
  Broker& broker = context.broker();
  DescribeReplicasResponse response;
  response.broker_id = broker.node.id;
  response.directory = broker.node.directory_id;
  response.replicas.resize(request.partitions.size());
  std::vector<Target> targets;
  for (std::size_t i = 0; i < request.partitions.size(); ++i) {
    const auto& asked = request.partitions[i];
    targets.push_back({asked.topic_id, asked.partition, &response.replicas[i]});
  }
  auto start = [view = broker.metadata](ShardData& data, std::vector<Target*>& there) {
    return describe_all(*view, data, there);
  };
  Task<void> calls = call_partitions(context, targets, start);
  co_await std::move(calls);
  co_return response;
}

const ApiEntry& describe_replicas_entry() {
  static const ApiEntry entry = api_entry<describe_replicas>();
  return entry;
}

}  // namespace chronik::broker
