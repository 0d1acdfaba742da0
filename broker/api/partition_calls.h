// call_partitions: runs the per-partition part of a request on the shards that own the partitions,
// on all of them at once, and comes back when all are done.
//
// Item: anything with `topic_id` and `partition`. `start(data, items)` gives a Task<void> that
// handles the items of one shard, on that shard; it is called in the order of requests there, so
// what it does before its first suspension keeps the order in which pipelined requests came. Items
// point at answers in the caller's frame.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "broker/api/context.h"
#include "broker/broker.h"
#include "broker/partition/shard_data.h"
#include "broker/runtime/metadata_view.h"
#include "broker/runtime/scatter.h"

namespace chronik::broker {

/// Whether one of several replicas is this node's.
inline bool has_replica_here(const Broker& broker, const metadata::Topic& topic,
                             PartitionId partition) {
  const metadata::Partition& members = topic.partitions[static_cast<std::size_t>(partition)];
  return members.has_group() &&
         std::ranges::find(members.replicas, broker.node.id) != members.replicas.end();
}

/// The same, and nobody is known to lead: its own replica knows best.
inline bool is_between_leaders(const Broker& broker, const metadata::Topic& topic,
                               PartitionId partition) {
  return has_replica_here(broker, topic, partition) &&
         broker.metadata->leader_of(topic, partition).leader < 0;
}

/// Why this node does not serve the partition: UNKNOWN_TOPIC_OR_PARTITION, or
/// NOT_LEADER_OR_FOLLOWER when it is another's; none when it does. `topic` may be null.
inline protocol::ErrorCode check_served_here(const Broker& broker, const metadata::Topic* topic,
                                             PartitionId partition) {
  if (topic == nullptr || !topic->has_partition(partition)) {
    return protocol::ErrorCode::unknown_topic_or_partition;
  }
  return broker.metadata->leader_of(*topic, partition).leader == broker.node.id
             ? protocol::ErrorCode::none
             : protocol::ErrorCode::not_leader_or_follower;
}

/// The same for a consumer, which may also read from a replica that is in sync (KIP-392).
inline protocol::ErrorCode check_readable_here(const Broker& broker, const metadata::Topic* topic,
                                               PartitionId partition) {
  const protocol::ErrorCode served = check_served_here(broker, topic, partition);
  if (served != protocol::ErrorCode::not_leader_or_follower) return served;
  const std::vector<BrokerId>& replicas =
      topic->partitions[static_cast<std::size_t>(partition)].replicas;
  if (std::ranges::find(replicas, broker.node.id) == replicas.end()) return served;
  const PartitionLeader leader = broker.metadata->leader_of(*topic, partition);
  const bool late = !leader.in_sync.empty() &&
                    std::ranges::find(leader.in_sync, broker.node.id) == leader.in_sync.end();
  return leader.leader < 0 || late ? served : protocol::ErrorCode::none;
}

template <class Item, class Start>
Task<void> call_partitions(RequestContext& context, std::vector<Item>& items, Start start) {
  Broker& broker = context.broker();
  const std::uint32_t count = broker.shards->count();
  std::vector<std::vector<Item*>> by_shard(count);
  for (Item& item : items) {
    by_shard[shard_of(item.topic_id, item.partition, count)].push_back(&item);
  }
  if (count == 1) {
    Task<void> task = start(broker.data(context.shard()), by_shard[0]);
    co_await std::move(task);
    co_return;
  }
  Scatter scatter;
  for (std::uint32_t id = 0; id < count; ++id) {
    if (by_shard[id].empty()) continue;
    Shard& shard = broker.shards->at(id);
    std::vector<Item*>& there = by_shard[id];
    scatter.start(shard,
                  [&broker, &shard, &there, &start] { return start(broker.data(shard), there); });
  }
  Future<void> all = scatter.all();
  co_await all;
}

/// Until when a request that limits its wait to `timeout_ms` waits for the disk. Kafka counts from
/// after the append; 0 and less would end every wait here before the disk had a chance, where
/// Kafka on one node has nothing left to wait for: such a request waits as long as it takes.
inline SteadyTime wait_limit(RequestContext& context, std::int32_t timeout_ms) {
  if (timeout_ms <= 0) return SteadyTime::max();
  return context.shard().now() + milliseconds{timeout_ms};
}

/// The partition of an item as its shard sees it now; null when the topic or partition is gone, or
/// not open here.
template <class Item>
Partition* find_partition(ShardData& data, const Item& item) {
  const metadata::Topic* topic = data.image().topic(item.topic_id);
  if (topic == nullptr || !topic->has_partition(item.partition)) return nullptr;
  return data.partitions.get(*topic, item.partition);
}

}  // namespace chronik::broker
