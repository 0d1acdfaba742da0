// RaftMetaLog: the MetadataStore of a node of a cluster. It wraps what MetaLogStore does alone in
// the Raft group ("__meta", 0): the same log, entries, snapshots and state machine in the same
// directory, so a directory of a node without a cluster goes on here as it is.
//
// A proposal is taken on any node: the leader appends it, this node waits for its place in its own
// log and answers with the results of its own apply, which are equal on all nodes; so who asked
// reads what it wrote. Reads are local (image()); read_barrier() is for those who must not be late.
//
// Owned by the metadata shard, with the manager that runs its group; everything is called there.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "metadata/meta_log_store.h"
#include "metadata/meta_snapshots.h"
#include "metadata/metadata_store.h"
#include "metadata/state_machine.h"
#include "raft/multi/raft_replica_manager.h"

namespace chronik::metadata {

struct RaftMetaLogOptions {
  MetaLogOptions log;  // its node is the manager's
  /// Who belongs to the cluster at its very first start; later its log says so. A directory that
  /// has metadata already must begin alone ({this node}) or with nodes that join: empty nodes that
  /// vote could elect one another and cut its log. A node that joins a cluster is told none.
  raft::Membership voters;
  /// How long a proposal waits for a leader and for its commit.
  std::int64_t propose_timeout_ms = 5'000;
  /// Whether its group may rest (raft/core/rest.h). Off, its heartbeats find a leader out that is
  /// connected and does nothing.
  bool rests = false;
};

class RaftMetaLog final : public MetadataStore, private raft::StateMachine {
 public:
  /// What the start found, beside MetaLogStore::Recovery.
  struct Recovery {
    std::string snapshot;          // path; empty: none was there
    std::string damaged_snapshot;  // path of one that could not be read and was done without
    /// Entries that may have been acknowledged are gone: the node copies them and does not vote.
    bool log_lost = false;
  };

  /// Opens log and snapshots and starts the group. A damaged log or snapshot is copied from the
  /// other nodes again, where there are any. The image is that of the newest snapshot until a
  /// leader tells what is committed. All arguments outlive the store; so does the manager, or its
  /// close(). Errors: those of open_replica_files(), and of MetaLogStore::open() for a group of
  /// one.
  static Result<std::unique_ptr<RaftMetaLog>> open(wal::LogEnvironment& environment,
                                                   wal::GroupCommit& group_commit,
                                                   wal::IoExecutor& executor,
                                                   raft::RaftReplicaManager& manager,
                                                   RaftMetaLogOptions options);
  /// Nothing may wait any more: after RaftReplicaManager::close() or its end.
  ~RaftMetaLog() override;

  std::shared_ptr<const Image> image() const override { return state_.image(); }
  using MetadataStore::propose;
  void propose(std::vector<MetadataEvent> events, const ProposeOptions& options,
               ProposeDone done) override;
  Leadership leadership() const override { return leadership_; }
  void add_observer(MetadataObserver& observer) override { state_.add_observer(observer); }
  void remove_observer(MetadataObserver& observer) override { state_.remove_observer(observer); }

  /// A linearizable read (Raft, thesis section 6.4).
  void read_barrier(std::function<void(Result<void>)> done) override;

  /// From now on proposals are refused with `closed`, and no new snapshot begins.
  void close();

  /// For membership changes, hand-over and what DescribeQuorum tells.
  raft::Replica& replica() { return *replica_; }
  const Recovery& recovery() const { return recovery_; }
  const std::vector<SnapshotName>& snapshots() const { return snapshots_.names(); }
  bool snapshot_in_flight() const { return snapshots_.in_flight(); }

 private:
  class Receiver;
  class Reader;

  RaftMetaLog(wal::LogEnvironment& environment, wal::IoExecutor& executor,
              RaftMetaLogOptions options);
  Result<void> start(wal::GroupCommit& group_commit, raft::RaftReplicaManager& manager);
  Result<void> settle_received(const wal::PartitionLog& log);
  Result<void> settle_log(raft::ReplicaFiles& files, const raft::ReplicaPlace& place,
                          wal::GroupCommit& group_commit, const SnapshotInfo& snapshot);
  std::string received_path() const;
  Result<std::optional<raft::ReceivedSnapshot>> received() const;
  void on_snapshot_written(const SnapshotInfo& written);

  void apply(std::span<const raft::Entry> entries) override;
  void on_leadership(const raft::Leadership& leadership) override;
  std::shared_ptr<raft::SnapshotReader> open_snapshot(raft::Index index) override;
  std::shared_ptr<raft::SnapshotReceiver> receive_snapshot(const raft::SnapshotMeta& meta) override;
  void restore(const raft::SnapshotMeta& meta, raft::SnapshotReceiver& received) override;

  wal::LogEnvironment& environment_;
  const RaftMetaLogOptions options_;
  MetadataStateMachine state_;
  MetaSnapshots snapshots_;
  raft::Replica* replica_ = nullptr;  // the manager's
  Leadership leadership_;
  LeaderEpoch applied_epoch_ = no_leader_epoch;
  // Of the entries applied last, until their proposals are answered.
  EntryIndex results_begin_ = 0;
  std::vector<ApplyResults> results_;
  Recovery recovery_;
  bool closed_ = false;
  bool failed_ = false;
};

}  // namespace chronik::metadata
