// HostedPartitions: the replicated partitions of one process of a simulated node, put together as
// broker/partition/partitions.h does with a shard. Owned by the Node; it outlives the node's
// RaftReplicaManager.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/random.h"
#include "integration/sim/placement.h"

namespace chronik::sim {

/// What they stand on; outlives them.
struct HostedOn {
  wal::LogEnvironment& environment;
  wal::GroupCommit& group_commit;
  raft::RaftReplicaManager& manager;
};

class HostedPartitions {
 public:
  /// `compacted`: counts runs of compaction.
  HostedPartitions(const Placement& placement, NodeId node, std::uint64_t& compacted)
      : placement_(placement), node_(node), compacted_(compacted) {}

  /// Opens those that have a place on this node, whose data directory is `directory`, and removes
  /// what is left of others. Errors: those of Partition::open_replica().
  Result<void> open(HostedOn on, const Uuid& directory, std::string_view root);
  static std::string directory_of(std::string_view root, int partition);
  /// The node learns where the partition has its places now: it comes here, or leaves with its log
  /// and its vote. Not from within a callback of the groups'.
  void follow(int partition);
  /// Those whose groups are what was asked for, as members of which this node knows.
  std::vector<std::pair<int, metadata::Partition>> take_reassigned() {
    return std::exchange(reassigned_, {});
  }

  /// Null: it has no place here.
  broker::Partition* find(int partition);
  const std::map<int, std::unique_ptr<broker::Partition>>& all() const { return partitions_; }

  /// Now and then, by the node's clock: whether it was due.
  bool tend(SteadyTime local, Timestamp wall);
  /// When that is wanted, by the node's clock.
  std::optional<SteadyTime> next_tend() const;

 private:
  Result<void> remove_leftovers();
  std::string path_of(int index) const;
  bool has_place(int index) const;
  Result<void> open_seat(int index);
  void leave(int index);
  void compact(int index, broker::Partition& partition, Timestamp wall);

  const Placement& placement_;
  const NodeId node_;
  std::uint64_t& compacted_;
  protocol::RecordScratch scratch_;
  std::map<int, std::unique_ptr<broker::Partition>> partitions_;
  std::optional<HostedOn> on_;
  Uuid directory_;
  std::string root_;
  std::optional<raft::LeftStates> left_;
  std::vector<metadata::Partition> seen_;  // as this node knows them
  std::set<int> leaving_;                  // whose directories have not left their places yet
  std::vector<std::pair<int, metadata::Partition>> reassigned_;
  std::map<int, wal::CompactionJob> compactions_;  // under way
  SteadyTime tended_{};
  std::uint64_t rounds_ = 0;
};

}  // namespace chronik::sim
