// HostedPartitions: the replicated partitions of one process of a simulated node, put together as
// broker/partition/partitions.h does with a shard. Owned by the Node; it outlives the node's
// RaftReplicaManager.
#pragma once

#include <map>
#include <memory>
#include <optional>

#include "base/random.h"
#include "integration/sim/placement.h"

namespace chronik::sim {

class HostedPartitions {
 public:
  /// `compacted`: counts runs of compaction.
  HostedPartitions(const Placement& placement, NodeId node, std::uint64_t& compacted)
      : placement_(placement), node_(node), compacted_(compacted) {}

  /// Opens those that were placed on this node, whose data directory is `directory`. Errors: those
  /// of Partition::open_replica().
  Result<void> open(wal::LogEnvironment& environment, wal::GroupCommit& group_commit,
                    raft::RaftReplicaManager& manager, const Uuid& directory,
                    std::string_view root);

  /// Null: it has no place here.
  broker::Partition* find(int partition);
  const std::map<int, std::unique_ptr<broker::Partition>>& all() const { return partitions_; }

  /// Now and then, by the node's clock: whether it was due.
  bool tend(SteadyTime local, Timestamp wall);
  /// When that is wanted, by the node's clock.
  std::optional<SteadyTime> next_tend() const;

 private:
  void compact(int index, broker::Partition& partition, Timestamp wall);

  const Placement& placement_;
  const NodeId node_;
  std::uint64_t& compacted_;
  protocol::RecordScratch scratch_;
  std::map<int, std::unique_ptr<broker::Partition>> partitions_;
  std::map<int, wal::CompactionJob> compactions_;  // under way
  SteadyTime tended_{};
  std::uint64_t rounds_ = 0;
};

}  // namespace chronik::sim
