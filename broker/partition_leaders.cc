#include "broker/partition_leaders.h"

#include <utility>

#include "broker/runtime/blocking.h"

namespace chronik::broker {

PartitionLeaders::PartitionLeaders(Shards& shards, MetadataView& view, ClusterMember& member,
                                   std::vector<Partitions*> partitions)
    : shards_(shards), view_(view), member_(member), partitions_(std::move(partitions)) {}

void PartitionLeaders::start(const NodeInfo& node) {
  own_ = node.id;
  for (std::uint32_t id = 0; id < shards_.count(); ++id) {
    ClusterSeat seat;
    seat.groups = &member_.rafts(id).groups();
    seat.shard_count = shards_.count();
    seat.node = node.id;
    seat.directory = node.directory_id;
    seat.image = [this] { return view_.image(); };
    seat.on_led = [this](const Partition& partition) { on_led(partition); };
    seat.on_reassigned = [this](const metadata::Topic& topic, PartitionId index) {
      complete_reassignment(topic, index);
    };
    call_on(shards_.at(id), [&] { partitions_[id]->join_cluster(std::move(seat)); });
  }
  call_on(shards_.first(), [this] {
    member_.watch_leaders(
        [this](BrokerId leader, const std::vector<LeaderNews>& news) {
          for (const LeaderNews& one : news) {
            view_.tell_leader(one.topic_id, one.partition, {leader, one.epoch, one.in_sync});
          }
        },
        [this] { tell_all(); });
  });
}

/// On the partition's shard.
void PartitionLeaders::on_led(const Partition& partition) {
  const raft::Leadership& now = partition.leadership();
  const wal::LogIdentity& at = partition.identity();
  PartitionLeader leader{now.leader, now.term, {}};
  // Who came before it is ready would be sent away.
  if (now.leader == own_ && !now.ready) leader.leader = -1;
  if (now.ready) leader.in_sync = partition.in_sync_replicas();
  view_.tell_leader(at.topic_id, at.partition, leader);
  if (now.ready) member_.announce({at.topic_id, at.partition, now.term, std::move(leader.in_sync)});
}

/// On the partition's shard. Where another reassignment has begun meanwhile this one is refused.
void PartitionLeaders::complete_reassignment(const metadata::Topic& topic, PartitionId index) {
  const metadata::Partition& partition = topic.partitions[static_cast<std::size_t>(index)];
  metadata::PartitionReplicasChanged event;
  event.topic_id = topic.id;
  event.name = topic.name;
  event.partition_index = index;
  event.before = partition.replicas;
  event.replicas = partition.target();
  shards_.first().post([this, event = std::move(event)]() mutable {
    member_.store().propose({std::move(event)}, {.idempotent = true},
                            [](const Result<metadata::ApplyResults>&) {});
  });
}

/// A node has come that knows nothing yet.
void PartitionLeaders::tell_all() {
  for (std::uint32_t id = 0; id < shards_.count(); ++id) {
    shards_.at(id).post([partitions = partitions_[id]] { partitions->tell_led(); });
  }
}

}  // namespace chronik::broker
