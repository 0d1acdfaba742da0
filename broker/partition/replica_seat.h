// What a partition that has other replicas needs of its node, and what its leader knows of the
// others: ReplicaSeat and InSyncTracker. Both belong to one Partition, on its shard.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/types.h"
#include "metadata/image.h"
#include "raft/multi/left_states.h"
#include "raft/multi/newcomers.h"
#include "raft/multi/raft_replica_manager.h"
#include "raft/multi/reassignment.h"

namespace chronik::broker {

/// A place in a group.
struct ReplicaSeat {
  raft::RaftReplicaManager* groups = nullptr;  // of the partition's shard; outlives the partition
  /// Who founds the group; nobody where this node's directory is not among them (it waits until
  /// the leader takes it in).
  raft::Membership founders;
  raft::Recovery recovery{};
  /// What this node remembers of groups that it left; outlives the partition.
  raft::LeftStates* left = nullptr;
  /// There may be a log from a time without a group, to which clients have written.
  bool takes_on = false;
  /// The leader that is wanted first.
  bool preferred = false;
  milliseconds lag_max{30'000};  // replica.lag.time.max.ms
  /// For so long a leader compacts nothing that a replica which is away does not have: it comes
  /// back to entries, and not to all of the log's files.
  milliseconds away_max{600'000};
};

/// The last recovery of a partition, as `node` with `directory` takes part in it.
raft::Recovery recovery_of(const metadata::Partition& partition, BrokerId node,
                           const Uuid& directory);

/// The founders of a partition's group, as `node` with `directory` takes part: see ReplicaSeat.
raft::Membership founders_of(const metadata::Partition& partition, BrokerId node,
                             const Uuid& directory);

/// Which followers have kept up: at some moment of the last lag_max they had all that the leader
/// had at the look before, and they are connected (replica.lag.time.max.ms; KIP-16).
class InSyncTracker {
 public:
  /// A leader begins: everybody counts as caught up until the first look.
  void begin() { *this = {}; }
  void look(const raft::Raft& raft, SteadyTime now);
  /// As of the last look. Sorted; the leader is among them.
  std::vector<BrokerId> in_sync(const raft::Raft& raft,
                                const std::vector<raft::MemberDirectory>& present,
                                milliseconds lag_max) const;
  /// Fills in who is behind, as of the last look: learners that have not got there yet, and voters
  /// out of sync, as long as those in sync are a majority without them: else clients wait for them.
  void sort_out(const raft::Raft& raft, const std::vector<BrokerId>& in_sync,
                raft::CatchUpTerms& terms) const;
  /// Whether it had all that was there within the last `limit`, as of the last look.
  bool was_there(BrokerId follower, milliseconds limit) const;

 private:
  std::optional<SteadyTime> looked_at_;
  raft::Index end_before_ = 0;
  std::map<BrokerId, SteadyTime> caught_up_;
  std::vector<BrokerId> there_;  // had, at the last look, all that there was at the one before
};

}  // namespace chronik::broker
