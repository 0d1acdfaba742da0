// PartitionLeaders: who leads the partitions that have several replicas, told around: what this
// node's replicas see goes to all shards, what it leads to all nodes, and what other nodes lead to
// all shards.
//
// In a cluster only. Owned by Server; made, started and destroyed on the main thread, the rest runs
// on the shards.
#pragma once

#include <vector>

#include "broker/broker.h"
#include "broker/cluster_member.h"
#include "broker/partition/partitions.h"
#include "broker/runtime/metadata_view.h"

namespace chronik::broker {

class PartitionLeaders {
 public:
  /// `partitions`: by shard. All of them outlive stop().
  PartitionLeaders(Shards& shards, MetadataView& view, ClusterMember& member,
                   std::vector<Partitions*> partitions);

  /// Each shard's partitions learn which groups they belong to; before they are opened. `lag_max` =
  /// replica.lag.time.max.ms.
  void start(const NodeInfo& node, milliseconds lag_max);
  /// Nothing that comes from other nodes is told any more. On the first shard.
  void stop() { member_.watch_leaders(nullptr, nullptr); }

 private:
  void on_led(const Partition& partition);
  void complete_reassignment(const metadata::Topic& topic, PartitionId index);
  void tell_begins(std::uint32_t shard, BrokerId follower, const std::vector<LogBeginning>& begins,
                   ClusterSeat::Told done);
  void tell_all();

  Shards& shards_;
  BrokerId own_ = -1;
  MetadataView& view_;
  ClusterMember& member_;
  const std::vector<Partitions*> partitions_;
};

}  // namespace chronik::broker
