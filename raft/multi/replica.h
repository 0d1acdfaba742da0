// Replica: one group on this node: its Raft, its log and state file, and everything that waits for
// them. It does what each Ready says: persists, sends what may leave at once and what may leave
// once durable, applies, answers. Owned by a RaftReplicaManager, on its shard; it sees the rest of
// the node through ReplicaHost.
//
// Who is connected under a member's number, but with another data directory than that member's, has
// not what the member promised: what it answers, as a voter or a follower, is dropped. It gets
// messages as the member would, which does no harm: it may copy the log, and is not counted.
//
// Order on disk: the state of a Ready is handed to the I/O thread before its entries are marked
// dirty, and the I/O thread works in order; so a hard state is never later than what lies behind
// it.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/fifo.h"
#include "base/result.h"
#include "raft/core/raft.h"
#include "raft/multi/catch_up_queue.h"
#include "raft/multi/commit_offsets.h"
#include "raft/multi/proposals.h"
#include "raft/multi/replica_files.h"
#include "raft/multi/snapshot_transfer.h"
#include "raft/multi/state_machine.h"
#include "raft/multi/wire.h"

namespace chronik::raft {

class Replica;

/// What a replica needs of the node it lives on.
class ReplicaHost {
 public:
  virtual ~ReplicaHost() = default;
  virtual NodeId node() const = 0;
  /// Drawn anew with every start of the process.
  virtual std::uint64_t life() const = 0;
  /// The data directory that `node` has told, while it is connected; else zero.
  virtual Uuid directory_of(NodeId node) const = 0;
  /// Itself, or connected.
  virtual bool is_up(NodeId node) const = 0;
  /// It is about to stop.
  virtual bool is_leaving(NodeId node) const = 0;
  virtual std::int64_t now_ticks() const = 0;
  virtual std::int64_t ticks_of(milliseconds time) const = 0;
  virtual wal::LogEnvironment& environment() = 0;
  virtual wal::GroupCommit& group_commit() = 0;
  virtual wal::IoExecutor& executor() = 0;
  virtual void send(NodeId to, ByteChain frame) = 0;
  virtual void send_beat(GroupMessage beat) = 0;
  virtual CatchUpQueue& catch_up() = 0;
  virtual RecentBudget& recent() = 0;
  /// The replica may have something to do: the next settle() comes round to it.
  virtual void touch(Replica& replica) = 0;
  /// Does what all touched replicas have to do; nothing when that is under way already.
  virtual void settle() = 0;
};

struct ReplicaOptions {
  Options raft;                                 // id and random are the host's
  std::uint64_t waiting_bytes_max = 64u << 20;  // of proposals of this node
};

/// What the leader of a group sends within limits (raft/multi/catch_up_budgets.h): entries and
/// parts of snapshots for those who are behind. Heartbeats, votes, and what goes to all others wait
/// for nothing.
struct CatchUpTerms {
  bool leader = false;            // the limit of this node's rate counts
  bool every_follower = false;    // those of the others' rates count,
  std::vector<NodeId> followers;  // or of these
  // Who is behind, as seen in this term: of the voters these, of the learners all but those.
  Term term = 0;
  std::vector<NodeId> behind;
  std::vector<NodeId> there;
};

struct ProposeOptions {
  /// Appended only when this node leads in exactly this term; never sent to another node.
  std::optional<Term> only_in_term = {};
  /// May be appended twice: then it is tried again where its fate is not known.
  bool idempotent = false;
  milliseconds timeout{5'000};
};

class Replica final : private wal::DurableListener {
 public:
  using ReadDone = std::function<void(Result<Index>)>;

  /// `machine` has applied everything up to `applied`, from a snapshot that ends there (0: none).
  Replica(ReplicaHost& host, const GroupId& group, ReplicaFiles files, StateMachine& machine,
          Index applied, const ReplicaOptions& options);
  /// Proposals and reads that wait get `closed`.
  ~Replica() override;

  /// `payload`, a record batch whose memory nobody else holds, becomes an entry: appended here or
  /// sent to the leader. `done` comes once, maybe before propose() returns; see ProposeDone.
  void propose(SharedBytes payload, const ProposeOptions& options, ProposeDone done);
  /// At the leader only: one more entry, whose offset and epoch are set on return (as the log had
  /// them). For machines that read no entries: the outcome shows in on_committed(), or is lost with
  /// the leadership. Not from within a callback of the manager's. Errors: not_leader, busy,
  /// too_large, no_space, closed.
  Result<Position> append(SharedBytes payload);
  /// A linearizable read: the machine has applied everything that was committed when this was
  /// called. Errors: timeout, closed.
  void read(milliseconds timeout, ReadDone done);
  /// At the leader only. `done` once the new membership is committed and applied here. Errors:
  /// not_leader, busy (another change is under way), invalid_argument, timeout.
  void change_membership(std::span<const MemberChange> changes, milliseconds timeout,
                         ProposeDone done);
  /// Errors: not_leader, invalid_argument. Given up by itself when it does not succeed.
  Result<void> transfer_leadership(NodeId to);
  /// As transfer_leadership(), to the voter whose log is the longest. False: nobody can take over,
  /// or this node does not lead.
  bool hand_over();

  /// From here on; none at first.
  void set_catch_up_terms(CatchUpTerms terms) { catch_up_terms_ = std::move(terms); }

  Leadership leadership() const;
  const Raft& raft() const { return raft_; }
  const GroupId& group() const { return group_; }
  /// The last entry that was applied.
  Position applied() const { return applied_; }
  LogStore& store() { return *store_; }
  std::size_t waiting() const { return proposals_.count(); }
  /// It neither takes nor says anything any more, until the process has ended: its log failed.
  bool broken() const { return broken_; }
  std::uint64_t snapshot_bytes_received() const {
    return transfers_ == nullptr ? 0 : transfers_->fetcher.bytes_received();
  }

  /// The machine has a durable snapshot that ends with entry `index`. False: it cannot be offered
  /// to others, and nothing is to be compacted for it.
  bool on_snapshot_written(Index index);
  /// The log before `offset` is not needed any more; an older snapshot covers it.
  void compact(Offset offset);
  /// The log has let go of its begin by itself (retention), up to committed entries.
  void on_log_begin_moved();
  /// Records below it are committed; kept for machines that read no entries.
  Offset committed_offset() const { return commit_offsets_.committed(); }
  /// Whether that is no less than what this node may have told before it was started.
  bool knows_committed() const { return commit_offsets_.is_known(); }
  /// Ends the replica: the log is the caller's to destroy.
  std::unique_ptr<wal::PartitionLog> take_log();

  // -- For the manager.
  void step(const Message& message);
  void tick();
  void on_node_up(NodeId node);
  void on_node_down(NodeId node);
  void on_forwarded(NodeId from, ForwardedProposal proposal);
  void on_forward_answer(NodeId from, const ForwardAnswer& answer);
  void on_snapshot_request(NodeId from, const SnapshotRequest& request);
  void on_snapshot_chunk(NodeId from, const SnapshotChunk& chunk);
  void campaign_now();
  /// Takes the next Ready; true when there was one. `save` is filled when a state is to be written
  /// before carry_out(); then on_state_saved(`number`) follows.
  struct Save {
    wal::StateWrite what;
    std::shared_ptr<Replica*> replica;  // null once it has ended
    std::uint64_t number = 0;
  };
  /// Tells Raft what has become durable.
  void advance();
  bool take_ready(std::optional<Save>& save);
  void carry_out();
  void on_state_saved(std::uint64_t number);
  void close();
  /// Nobody has to tick it: nothing waits, and Raft rests.
  bool rests() const {
    return raft_.rests() && proposals_.count() == 0 && reads_.empty() && persisting_.empty() &&
           taken_ == nullptr && (transfers_ == nullptr || transfers_->idle());
  }
  /// With the manager's patrol: a leader asks whether the others still rest, a follower that has
  /// not been asked for `silence_max` ticks wakes.
  void patrol(std::int64_t silence_max);

 private:
  // A Ready on its way to the disk.
  struct Persisting {
    std::uint64_t number = 0;
    bool state_saved = true;
    Index last = 0;  // of its entries, as far as they were not cut meanwhile
    std::shared_ptr<SnapshotReceiver> install;
    SnapshotMeta meta;
    bool publishing = false;
    bool published = false;
    std::vector<Message> messages;
  };
  struct Read {
    std::int64_t deadline = 0;
    std::optional<ReadId> id;  // none: to be asked (again)
    ReadDone done;
  };

  struct Transfers {
    SnapshotFetcher fetcher;
    SnapshotSender sender;
    bool idle() const { return !fetcher.active() && sender.idle(); }
  };

  friend class RaftReplicaManager;

  void on_durable(wal::PartitionLog& log) override;
  void touch() { host_.touch(*this); }
  bool counts(const Message& message) const;
  /// False: entries of old could not be cut off, and the replica is broken.
  bool write_log(Ready& ready, Persisting& persisting);
  bool is_durable(Persisting& front);
  bool majority_is_up() const;
  void publish(Persisting& front);
  void send(const Message& message);
  void apply(const std::vector<Entry>& entries);
  void commit_to(Index index);
  CatchUpLimits limits_of(NodeId node) const;
  void read_log(const LogRead& read);
  void read_log_now(const LogRead& read, const CatchUpGrant& grant);
  void drive();
  bool drive_one(const Proposals::Proposal& proposal);
  void drive_reads();
  void answer_reads(const Ready& ready);
  void on_fetched(const SnapshotMeta& meta, bool fetched);
  void tell_leadership();
  void meet_damage(const Error& error);
  void fail_to_cut(Error error);
  Options raft_options(Options options);
  TransferDoor door();
  Transfers& transfers();

  ReplicaHost& host_;
  const GroupId group_;
  StateMachine& machine_;
  std::unique_ptr<StateFile> state_file_;
  ReplicaState state_;
  std::unique_ptr<LogStore> store_;
  Raft raft_;
  CatchUpTerms catch_up_terms_;
  Position applied_;
  const bool delivers_;  // entries, to the machine
  CommitOffsets commit_offsets_;
  Leadership told_;
  Proposals proposals_;
  std::vector<Read> reads_;
  Fifo<Persisting> persisting_;
  std::unique_ptr<Ready> taken_;
  bool save_base_ = false;                // the membership at the log's begin has changed
  std::unique_ptr<Transfers> transfers_;  // none before the first
  std::shared_ptr<SnapshotReceiver> fetched_;
  // The requests that were seen of each node, to drop what the network repeats.
  struct Seen {
    std::uint64_t life = 0;
    std::uint64_t request = 0;
  };
  std::map<NodeId, Seen> seen_;
  std::shared_ptr<Replica*> self_;  // null inside once it is gone
  bool closed_ = false;
  // Its log is not what Raft takes it for: it says nothing more, and the process is about to end.
  bool broken_ = false;
  // The manager's: it is in its lists.
  bool touched_ = false;
  bool ticked_ = false;
  std::int64_t asked_to_rest_ = 0;  // of a follower that rests: when it was last asked
};

}  // namespace chronik::raft
