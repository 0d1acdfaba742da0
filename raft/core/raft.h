// Raft: one replica of one group, as a pure state machine (Ongaro's thesis; sections are named
// where it matters). It sees no clock, random source, thread, socket or file: time is tick(),
// randomness a function handed in, disk and network are what ready() returns. Owned by the group's
// driver (raft/multi), on one shard; every call returns at once.
//
// Driver: step(), tick(), propose() and the on_...() calls change the state; whenever has_ready(),
// it takes ready() and does what ready.h says. Several Readys may be on their way to the disk at a
// time.
//
// Decisions of this design:
// - Membership takes effect when its entry is APPENDED (thesis 4.1), not when it is applied.
//   So no change waits for a slow state machine, a replica knows after a start who votes
//   from its log alone, and no election has to wait until known changes are applied. The price:
//   cutting the log takes a change back, for which Log keeps the memberships of all its entries.
//   One change at a time, and the first only after an entry of the leader's term is committed
//   (without that two single changes of rival leaders may have majorities that do not meet).
// - A node that its last, uncommitted membership removes still campaigns (4.2.2, figure 4.6);
//   a removed leader leads until the change is committed, counting itself for nothing, and then
//   hands over. A learner answers votes: it may have been promoted without knowing yet; candidates
//   count only whom their membership makes a voter.
// - Pre-votes, check of quorum, and no votes while a leader is heard are always on
// (thesis 9.6, 6.2):
//   without them a node that was away, or was removed, deposes a working leader.
// - Everything that makes a promise (votes, the request for votes, acknowledged entries) waits for
//   the disk; the leader's Appends and all heartbeats do not. A leader counts its own log up to
//   what on_persisted() said. A request for votes waits too: it tells the end of a log that a crash
//   could shorten, in a term that a crash would let the candidate enter anew.
// - Durability is reported by number of Ready, not by (term, index): the same entry can be cut and
//   come back, and the report for the first writing must not be taken for the second.
// - A leader tells its followers a commit index only up to what is durable on its own disk. A
//   majority without it may be faster; but its state machine is not, and who reads at a follower
//   and then at the leader would see the past.
// - A follower takes a commit index only up to where its log is known to be the leader's of this
// term.
// - Reads are proven by rounds of numbered heartbeats, many reads a round.
//
// Leases (Options::lease_reads): a follower votes for nobody for election_ticks of ITS clock after
// it heard a heartbeat; so the leader answers reads alone for election_ticks - 2 -
// lease_margin_ticks of ITS clock after SENDING one that a quorum answered (2: ticks begin at any
// moment). It assumes that clocks run at rates that differ by less than the margin, that no tick
// comes early, and that the driver has ticked for all the time that passed before it asks read(),
// also after a pause of the process. A node that starts votes for nobody for election_ticks, as it
// may have promised so. A leader that asked another to take over (TimeoutNow) has no lease for the
// rest of its term.
//
// Withheld replicas: options.h. Groups that rest: rest.h.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "base/fifo.h"
#include "base/result.h"
#include "raft/core/log.h"
#include "raft/core/message.h"
#include "raft/core/options.h"
#include "raft/core/progress.h"
#include "raft/core/quorum.h"
#include "raft/core/read_index.h"
#include "raft/core/ready.h"
#include "raft/core/rest.h"

namespace chronik::raft {

class Raft {
 public:
  /// `storage` must outlive it.
  Raft(Options options, const Storage& storage, Recovered recovered);

  // -- What happens to the node.

  /// A message from another member. Errors: invalid_argument, for what no correct node would send
  /// (it is dropped, the state is as before). Old, repeated and foreign ones are no errors.
  Result<void> step(const Message& message);
  void tick();
  /// Campaigns now, as if the election timeout had passed; nothing when it may not.
  void campaign_now();
  /// The connection to `node` broke because its process ended. When it led, a follower does not
  /// wait for its timeout any more (not with lease_reads: the leader may still be answering reads).
  void on_node_down(NodeId node);
  /// The node is connected (again): it may have begun anew, and know nothing of a rest.
  void on_node_up(NodeId node);
  /// A leader that rests asks the others whether they still do; who did not answer the last time
  /// wakes it.
  void patrol();
  /// The node is connected with a majority. One that knows no leader, as after a start, does not
  /// wait for its timeout then, but for as long as a leader would take to be heard.
  void on_majority_up();

  /// The leader appends; its first payload stands at the position returned, the others behind it.
  /// Whether they are committed shows in Ready::commit, unless another term's entries take their
  /// places. Errors: not_leader, busy (a hand-over is under way; uncommitted_bytes_max), too_large.
  /// With forward_proposals a follower returns {0, 0}.
  Result<Position> propose(std::vector<SharedBytes> payloads);
  /// Errors: not_leader; busy (a change is not committed yet, or nothing of this term is); as
  /// changed().
  Result<Position> propose_membership(std::span<const MemberChange> changes,
                                      Transition transition = Transition::automatic);
  Result<Position> propose_leave_joint();
  /// Hands over when `to` has the whole log; given up after election_ticks. Until then proposals
  /// are refused. Errors: not_leader, invalid_argument (no voter).
  Result<void> transfer_leadership(NodeId to);
  /// A linearizable read: comes back in Ready::reads or reads_lost, under the id returned. Errors:
  /// not_leader (none is known).
  Result<ReadId> read();

  // -- What the driver has done.

  /// Ready `number` and all before it are durable, and storage shows their entries.
  void on_persisted(std::uint64_t number);
  void on_applied(Index index);
  /// Answers a LogRead; entries that begin at `read.begin`, or none when it failed (Raft asks
  /// again).
  void on_entries_read(const LogRead& read, std::vector<Entry> entries);
  void on_snapshot_fetched(const SnapshotMeta& meta);
  void on_snapshot_failed(const SnapshotMeta& meta);
  /// Storage has let go of the log's begin.
  void on_log_compacted() { log_.forget_old_memberships(); }

  bool has_ready() const;
  Ready ready();

  // -- What it is. Valid until the next change.

  NodeId id() const { return options_.id; }
  Role role() const { return role_; }
  Term term() const { return hard_.term; }
  NodeId leader() const { return leader_; }
  const HardState& hard_state() const { return hard_; }
  bool is_withheld() const { return hard_.withheld_until > 0; }
  const Log& log() const { return log_; }
  const Membership& membership() const { return log_.membership().membership; }
  const std::vector<Progress>& progress() const {
    return progress_;
  }  // of a leader; without itself
  /// Whether the leader may read alone now.
  bool has_lease() const;
  /// How often tick() was called.
  std::int64_t ticks() const { return ticks_; }
  NodeId transfer_target() const { return transfer_to_; }
  std::uint64_t uncommitted_bytes() const { return uncommitted_bytes_; }

  /// Whether it rests (rest.h): tick() does nothing then.
  bool rests() const { return rest_.now; }

 private:
  friend class RaftAccess;  // tests that plant states
  struct Batch {
    std::uint64_t number = 0;
    Index last = 0;  // what it makes durable, as far as it was not cut meanwhile
    bool installs = false;
    HardState hard_state;
  };

  // raft.cc
  void become_follower(Term term, NodeId leader);
  void reset_for_term();
  void reset_election_timer();
  void campaign_soon(int ticks, NodeId without);
  bool hears_leader() const;
  bool votes_in(const Membership& membership) const;
  bool may_campaign() const;
  Result<void> validate(const Message& message) const;
  void on_older_term(const Message& message);
  bool enter_term_of(const Message& message);
  void dispatch(const Message& message);
  void send(NodeId to, MessageBody body, Term term);
  void send(NodeId to, MessageBody body) { send(to, std::move(body), hard_.term); }
  void send_when_durable(NodeId to, MessageBody body);
  void commit_to(Index index);
  void release_if_complete();
  void be_told(Index leader_commit);
  void lose_reads();

  // candidate.cc
  void campaign(bool pre, bool transfer);
  void count_votes();
  void on_vote(NodeId from, Term term, const Vote& vote);
  void on_vote_answer(NodeId from, const VoteAnswer& answer);
  void on_timeout_now();

  // follower.cc
  void on_append(NodeId from, const Append& append);
  void on_heartbeat(NodeId from, const Heartbeat& heartbeat);
  void on_snapshot_offer(NodeId from, const SnapshotOffer& offer);
  void hear_leader(NodeId from);
  void follow_commit(Index leader_commit);

  // leader.cc
  void become_leader();
  void tick_leader();
  void append_own(EntryKind kind, SharedBytes payload);
  Result<Position> append_membership(const Membership& membership);
  Result<void> may_change_membership() const;
  void renew_progress();
  void on_propose(const Propose& propose);
  void on_append_answer(Progress& peer, const AppendAnswer& answer);
  void on_heartbeat_answer(Progress& peer, const HeartbeatAnswer& answer);
  void on_snapshot_answer(Progress& peer, const SnapshotAnswer& answer);
  void maybe_commit();
  void on_leader_commit();
  void maybe_time_out_target(const Progress& peer);
  void abort_transfer();
  void step_down_removed();
  bool leads_with_quorum() const;
  bool committed_in_term() const;
  Progress* find_progress(NodeId node);

  // replicate.cc: what a leader sends
  /// What it tells others is committed: no more than it may show itself.
  Index shown_commit() const { return log_.may_apply_to(); }
  void replicate();
  void replicate_to(Progress& peer);
  bool is_paused(const Progress& peer) const;
  void send_append(Progress& peer, std::vector<Entry> entries);
  void offer_snapshot(Progress& peer);
  bool tells_commit(const Progress& peer) const;
  bool needs_heartbeat(const Progress& peer) const;
  void broadcast_heartbeat(bool to_all);

  // rest.cc
  void wake(NodeId by);
  bool comes_to_rest();
  bool may_rest() const;
  bool may_rest_under(const Heartbeat& heartbeat) const;
  bool lets_rest(const Message& message) const;
  bool concerns(NodeId node) const;
  bool is_away(NodeId node) const { return options_.is_away && options_.is_away(node); }
  HeartbeatAnswer answer_to(Round round) const;

  // reads.cc
  void on_read_index(NodeId from, ReadId id);
  void answer_read(NodeId to, ReadId id, Index index);
  void confirm_reads();
  Round confirmed_round() const;

  // ready.cc
  void take_committed(Ready& ready);
  void take_durable_part(Ready& ready);

  Options options_;
  Log log_;
  HardState hard_;
  std::optional<Position> told_;  // by the first leader: its term, and what it had committed
  HardState handed_hard_;         // as the last Ready gave it out
  HardState durable_hard_;        // as on_persisted() said
  Role role_ = Role::follower;
  NodeId leader_ = no_node;
  SoftState told_soft_;
  Index told_commit_ = 0;

  std::int64_t ticks_ = 0;
  int election_elapsed_ = 0;
  int election_timeout_ = 0;
  int soon_ = 0;          // so many campaigns that are lost are tried again before the timeout
  int silent_ticks_ = 0;  // after a start with leases: votes for nobody
  Rest rest_;

  // Of a follower: the log is known to be the leader's of this term up to here.
  Index matched_ = 0;
  std::optional<SnapshotMeta> fetching_;
  NodeId fetch_from_ = no_node;  // told with the next Ready

  // Of a candidate.
  std::map<NodeId, bool> votes_;
  bool campaign_transfer_ = false;

  // Of a leader.
  std::vector<Progress> progress_;  // by id
  Index term_begin_ = 0;            // its no-op
  bool replicate_wanted_ = false;
  int heartbeat_elapsed_ = 0;
  Round round_ = 0;
  Fifo<std::int64_t> round_ticks_;  // when the last rounds began; the newest is round_
  bool lease_given_away_ = false;
  NodeId transfer_to_ = no_node;
  int transfer_elapsed_ = 0;
  std::uint64_t uncommitted_bytes_ = 0;
  Fifo<std::pair<Index, std::uint64_t>> uncommitted_;
  ReadQueue read_queue_;

  OwnReads own_reads_;
  std::vector<ReadId> reads_lost_;
  ReadId next_read_ = 0;

  std::vector<Message> messages_;
  std::vector<Message> heartbeats_;
  std::vector<Message> when_durable_;
  std::vector<LogRead> log_reads_;
  std::vector<Entry> read_committed_;  // from disk, to be handed out
  bool reading_committed_ = false;
  Fifo<std::pair<Index, std::uint64_t>> in_apply_;
  std::uint64_t apply_bytes_ = 0;
  std::uint64_t last_number_ = 0;
  std::uint64_t persisted_number_ = 0;
  Fifo<Batch> in_flight_;
};

}  // namespace chronik::raft
