// Partition: one partition as this node keeps it: the log, the producers' state, the settings of
// its topic, and those who wait for its high watermark to move.
//
// One that has other replicas is the state machine of a Raft group, whose log is the partition's;
// it is served where it leads(). One without is a log of its own and always leads.
//
// Owned by the Partitions of one shard; all calls on that shard. The high watermark is the end of
// what is committed (alone: durable), for every acks level: nobody reads what a power cut or a new
// leader could take back (unless flush.messages allows it).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/types.h"
#include "base/uuid.h"
#include "broker/partition/fetch_wait.h"
#include "broker/partition/partition_settings.h"
#include "broker/partition/producer_state.h"
#include "broker/partition/replica_seat.h"
#include "broker/runtime/future.h"
#include "protocol/errors.h"
#include "protocol/produce_validation.h"
#include "wal/group_commit.h"
#include "wal/log_compaction.h"
#include "wal/partition_log.h"

namespace chronik::broker {

/// What the partitions of a shard share; outlives them.
struct PartitionContext {
  wal::LogEnvironment& environment;
  wal::GroupCommit& group;
  protocol::RecordScratch& scratch;
};

/// How to append.
struct AppendTerms {
  std::int16_t produce_version = 13;  // decides which codecs are allowed
  std::int16_t acks = -1;             // -1: refused where too few replicas are in sync
  Timestamp now = 0;
  SteadyTime at{};
};

/// The answer to one partition of a produce request.
struct AppendResult {
  protocol::ErrorCode error = protocol::ErrorCode::none;
  std::string message;
  std::vector<protocol::RecordError> record_errors;
  Offset base_offset = -1;
  Timestamp log_append_time = -1;
  Offset log_start_offset = -1;
  /// Behind the batch; the last entry that has to be held with it. For acknowledged().
  Offset acknowledged_at = 0;
  raft::Index acknowledged_index = 0;
};

/// How a wait for the disk ended. not_leader: another one may lead; what became of the batch is not
/// known here. too_few_in_sync: the batch is committed, and fewer replicas are in sync now than
/// min.insync.replicas asks for.
enum class WaitEnd : std::uint8_t { reached, deleted, timed_out, not_leader, too_few_in_sync };

/// What a reader asks of one partition.
struct ReadRequest {
  Offset from = 0;
  std::uint64_t bytes_max = 0;
  bool at_least_one = false;  // one whole batch even if it is larger than bytes_max
  LeaderEpoch current_leader_epoch = no_leader_epoch;
  LeaderEpoch last_fetched_epoch = no_leader_epoch;
  bool from_follower = false;  // one that does not lead may answer as well (KIP-392)
};

struct ReadResult {
  protocol::ErrorCode error = protocol::ErrorCode::none;
  Offset high_watermark = -1;
  Offset log_start_offset = -1;
  std::optional<wal::EpochEnd> diverging;  // the reader's log and this one part here (KIP-595)
  bool ahead = false;  // the reader, of what this follower knows to be committed, as yet
  ByteChain records;
};

class Partition final : private wal::DurableListener, private raft::StateMachine {
 public:
  /// Opens the log (recovery happens here) or, when `known_new`, starts an empty one without I/O.
  static Result<std::unique_ptr<Partition>> open(PartitionContext context, std::string directory,
                                                 wal::LogIdentity identity,
                                                 std::shared_ptr<const PartitionSettings> settings,
                                                 bool known_new);
  /// One of several replicas: takes part in its group from now on. Reads and writes the disk, in
  /// this call. Not from within a callback of the groups'.
  static Result<std::unique_ptr<Partition>> open_replica(
      PartitionContext context, std::string directory, wal::LogIdentity identity,
      std::shared_ptr<const PartitionSettings> settings, ReplicaSeat seat);
  /// One that was alone is to found a group: nothing is appended or read any more, what was
  /// appended becomes durable. join_group() once may_join_group().
  void prepare_to_join();
  bool is_joining() const { return joins_; }
  bool may_join_group() const;
  /// Founds the group with the log as it is, as open_replica() would after a restart. After an
  /// error it is of no use any more, and those who wait have been told.
  Result<void> join_group(ReplicaSeat seat);
  ~Partition() override;
  Partition(const Partition&) = delete;
  Partition& operator=(const Partition&) = delete;

  const wal::LogIdentity& identity() const { return log_->identity(); }
  wal::PartitionLog& log() { return *log_; }
  const ProducerState& producers() const { return producers_; }
  const PartitionSettings& settings() const { return *settings_; }
  void set_settings(std::shared_ptr<const PartitionSettings> settings);

  bool is_replicated() const { return replica_ != nullptr; }
  raft::Replica* replica() const { return replica_; }
  const raft::Leadership& leadership() const { return leadership_; }
  /// Whether this node serves it: a leader that has everything that was ever committed.
  bool leads() const { return replica_ == nullptr ? !joins_ : leadership_.ready; }
  /// Whether consumers may read here: it has a leader, and has told no later high watermark before.
  bool may_be_read_as_follower() const;
  Offset high_watermark() const {
    return replica_ == nullptr ? log_->durable_end_offset() : committed_;
  }
  Offset log_start_offset() const { return log_->log_start_offset(); }
  LeaderEpoch leader_epoch() const {
    return replica_ == nullptr ? leader_epoch_ : leadership_.term;
  }
  /// Replicas that have kept up with the leader, and this one; at the leader only.
  std::vector<BrokerId> in_sync_replicas() const;
  /// none, fenced_leader_epoch or unknown_leader_epoch (KIP-320); -1 is always fine.
  protocol::ErrorCode check_leader_epoch(LeaderEpoch of_client) const;

  /// Validates the `records` of a produce request and appends them; a bad batch leaves no trace.
  /// Not yet durable: wait for acknowledged_at.
  AppendResult append(SharedBytes records, const AppendTerms& terms);

  /// Until the high watermark is at `end` or beyond. Who gives a limit sees to it that end_waits()
  /// is called then (Partitions::limit_waits).
  Future<WaitEnd> reached(Offset end, SteadyTime limit = SteadyTime::max());
  /// Until what was appended may be acknowledged (acks=all): it is committed, and as many replicas
  /// in sync as min.insync.replicas asks for have it on disk. `limit` as above.
  Future<WaitEnd> acknowledged(const AppendResult& appended, SteadyTime limit);
  /// Until everything below `end` is on this node's disk (acks=1).
  Future<WaitEnd> stored(Offset end);
  /// Until another replica is known to lead, or this one leads again; for those who were refused,
  /// so that they can be told who does.
  Future<WaitEnd> leader_known(SteadyTime limit);
  /// Until a restart would find the log starting at `offset` or later, here and, at the leader, at
  /// the followers that are in sync and a majority of the voters.
  Future<WaitEnd> log_start_reached(Offset offset, SteadyTime limit = SteadyTime::max());
  /// Ends the waits whose limit is over at `now`; gives the first limit of those that go on.
  SteadyTime end_waits(SteadyTime now);

  ReadResult read(const ReadRequest& request);
  /// Readers to wake when the high watermark moves.
  FetchWaiters& waiters() { return waiters_; }

  /// DeleteRecords. Errors: out_of_range beyond the high watermark.
  Result<void> delete_before(Offset offset);
  /// The followers in sync, and those that learn, that have not been told yet where the log begins;
  /// at the leader. They count as told from then on.
  std::vector<BrokerId> take_followers_to_tell();
  /// What a follower said to that; nothing: it is to be told again.
  void on_follower_begin(BrokerId follower, std::optional<Offset> begin);
  /// One pass of retention, over segments and producers; true when segments were dropped.
  /// `retention_now` is what wal::RetentionClock makes of the wall clock.
  bool apply_retention(Timestamp retention_now);

  /// What compaction would do; `retention_now` as above. Seals the active segment when it is due.
  wal::Cleanable cleanable(Timestamp retention_now);
  /// Precondition: cleanable(retention_now) is worth it.
  wal::CompactionJob begin_compaction(const wal::CompactionLimits& limits, Timestamp retention_now,
                                      std::uint64_t seed);
  Result<wal::CompactionReport> end_compaction(wal::CompactionJob job);

  /// Ends the partition: waiters are told `how`, the log is given away.
  std::unique_ptr<wal::PartitionLog> retire(WaitEnd how = WaitEnd::deleted);

  /// Called after each flush of this log, for the owner's bookkeeping.
  std::function<void()> on_flushed;
  /// Called when another node leads, or this one does, as far as is known here; by the leader also
  /// when other replicas are in sync than before.
  std::function<void()> on_led;
  /// Says so (again), to whom has not heard it.
  void tell_led();
  /// Now and then, for a leader: who keeps up, who is to be taken in, who should lead. `members`:
  /// what the metadata says.
  void tend(const metadata::Partition& members, SteadyTime now);
  /// Whether nothing is left to tend as long as its group rests, the same nodes are connected, and
  /// the metadata say `members`.
  bool is_tended(const metadata::Partition& members) const;
  /// Whether the group's voters are those that a reassignment wants; at the leader only.
  bool is_reassigned_to(const metadata::Partition& members) const;

 private:
  struct Waiting {
    Offset until;
    SteadyTime limit;
    Promise<WaitEnd> promise;
    raft::Index index = 0;
  };

  /// A producer's batches that could not be appended for the moment.
  struct Refused {
    ProducerEpoch epoch = no_producer_epoch;
    Sequence sequence = no_sequence;  // of the first
    Sequence last = no_sequence;      // where the last one begins
    protocol::ErrorCode error = protocol::ErrorCode::none;
    std::string message;
  };

  Partition(PartitionContext context, std::shared_ptr<const PartitionSettings> settings);
  Result<void> open_in_group(std::string directory, wal::LogIdentity identity, ReplicaSeat seat);
  void on_durable(wal::PartitionLog& log) override;

  // raft::StateMachine
  bool reads_entries() const override { return false; }
  void on_committed(raft::Position last, Offset end) override;
  void on_held() override;
  void on_log_durable() override;
  void on_leadership(const raft::Leadership& leadership) override;
  std::shared_ptr<raft::SnapshotReader> open_snapshot(raft::Index index) override;
  std::shared_ptr<raft::SnapshotReceiver> receive_snapshot(const raft::SnapshotMeta& meta) override;
  void restore(const raft::SnapshotMeta& meta, raft::SnapshotReceiver& received) override;

  bool is_between_leaders() const;
  bool is_handing_over() const;
  void give_back(BrokerId preferred);
  void renew_catch_up_terms();
  void change(std::span<const raft::MemberChange> changes);
  Offset safe_log_start();
  Offset begin_at(BrokerId replica) const;
  bool may_vote(std::span<const raft::MemberChange> changes);
  raft::Index may_compact_to() const;
  wal::LogCompaction compaction() const;
  AppendResult append_accepted(protocol::AcceptedBatch batch, std::int16_t acks);
  std::optional<AppendResult> too_few_in_sync(std::int16_t acks) const;
  const Refused* refused_before(const protocol::BatchHeader& batch) const;
  bool may_lack_earlier(const protocol::BatchHeader& batch, const ProducerVerdict& verdict,
                        SteadyTime at);
  void note_refusal(const protocol::BatchHeader& batch, const AppendResult& result);
  void end_reached();
  void end_acknowledged();
  raft::Index held_by(std::size_t count, const std::vector<BrokerId>& in_sync) const;
  static Future<WaitEnd> wait_in(std::vector<Waiting>& queue, Offset until, SteadyTime limit,
                                 raft::Index index = 0);
  /// Ends with `how` the waits that `over(waiting)` names.
  template <class Over>
  static void end(std::vector<Waiting>& queue, WaitEnd how, Over over);
  void end_acknowledgements(WaitEnd how);
  void end_log_start_waits(WaitEnd how);
  void end_leader_waits();
  void end_all(WaitEnd how);

  const PartitionContext context_;
  std::shared_ptr<const PartitionSettings> settings_;
  ProducerState producers_;
  std::unordered_map<ProducerId, Refused> refused_;  // until all have come again
  std::unique_ptr<wal::PartitionLog> own_log_;       // of one without other replicas
  wal::PartitionLog* log_ = nullptr;                 // that, or the replica's
  LeaderEpoch leader_epoch_ = 0;
  bool joins_ = false;  // a group, soon
  bool compacting_ = false;
  std::optional<ReplicaSeat> seat_;
  raft::Replica* replica_ = nullptr;  // the groups own it
  raft::Leadership leadership_;
  std::optional<SteadyTime> led_since_;  // this leader's first append, to be precise
  Offset committed_ = 0;
  InSyncTracker in_sync_;
  std::vector<BrokerId> told_in_sync_;
  raft::Newcomers newcomers_;
  raft::Reassignment reassignment_;
  bool changing_ = false;  // a change of the membership is under way
  struct Begin {
    Uuid directory;  // whose it is
    Offset told = 0;
    Offset is = 0;
  };
  std::map<BrokerId, Begin> begins_;  // of the followers' logs, where this one leads
  Offset acknowledged_begin_ = 0;     // and clients may have been told of no deletion beyond
  std::vector<BrokerId> awaited_;     // to get a vote once they begin there
  Offset announced_high_watermark_ = 0;
  std::vector<Waiting> for_high_watermark_;
  std::vector<Waiting> for_acknowledgement_;
  std::vector<Waiting> for_storage_;
  std::vector<Waiting> for_leader_;
  std::vector<Waiting> for_log_start_;
  FetchWaiters waiters_;
};

}  // namespace chronik::broker
