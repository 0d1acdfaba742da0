#include "raft/multi/replica.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "raft/core/quorum.h"
#include "raft/multi/log_entry.h"

namespace chronik::raft {

namespace {

constexpr int snapshot_retry_ticks = 10;
constexpr int snapshot_idle_ticks = 600;

Recovered recovered_of(ReplicaFiles& files, Index applied) {
  Recovered recovered;
  recovered.hard_state = files.state.hard;
  recovered.commit = files.state.commit;
  recovered.applied = applied;
  recovered.memberships = std::move(files.memberships);
  return recovered;
}

/// Of a follower, which says what it holds.
bool is_answer(const Message& message) {
  return message.is<AppendAnswer>() || message.is<HeartbeatAnswer>() ||
         message.is<SnapshotAnswer>();
}

}  // namespace

Replica::Replica(ReplicaHost& host, const GroupId& group, ReplicaFiles files, StateMachine& machine,
                 Index applied, const ReplicaOptions& options)
    : host_(host),
      group_(group),
      machine_(machine),
      state_file_(std::move(files.state_file)),
      state_(files.state),
      store_(std::move(files.store)),
      raft_(raft_options(options.raft), *store_, recovered_of(files, applied)),
      delivers_(machine.reads_entries()),
      commit_offsets_(store_->log().log_start_offset(), store_->last_index(),
                      store_->log().end_offset()),
      proposals_(options.waiting_bytes_max),
      self_(std::make_shared<Replica*>(this)) {
  applied_ = {applied == 0 ? 0 : store_->term(applied), applied};
  if (!delivers_) commit_offsets_.advance(applied);
  // Where the log is the state, what is before its begin is the snapshot.
  const Index snapshot = delivers_ ? applied : store_->first_index() - 1;
  if (snapshot > 0) on_snapshot_written(snapshot);
  told_ = leadership();
  store_->keep_recent(host_.recent());
  store_->log().set_listener(this);
  host_.group_commit().add(store_->log());
}

Replica::~Replica() {
  *self_ = nullptr;
  if (store_->has_log()) store_->log().set_listener(nullptr);
  close();
}

Options Replica::raft_options(Options options) {
  options.is_held_back = [this](NodeId node) {
    return host_.catch_up().is_limited(node, limits_of(node));
  };
  options.is_away = [this](NodeId node) { return !host_.is_up(node); };
  return options;
}

TransferDoor Replica::door() {
  TransferDoor door{group_, &host_.environment(), &host_.executor(), {}, {}, {}};
  door.send = [this](NodeId to, ByteChain frame) { host_.send(to, std::move(frame)); };
  door.ask = [this](NodeId to, std::uint64_t wanted, std::function<void(CatchUpGrant)> go) {
    host_.catch_up().ask({group_, to, CatchUpAsk::Kind::snapshot, wanted,
                          [this, to] { return limits_of(to); }, std::move(go)});
  };
  door.sent = [this](NodeId to, const CatchUpGrant& grant, std::uint64_t bytes) {
    host_.catch_up().sent(to, grant, bytes);
  };
  return door;
}

Replica::Transfers& Replica::transfers() {
  if (transfers_ == nullptr) {
    const auto fetched = [this](const SnapshotMeta& meta, bool is) { on_fetched(meta, is); };
    transfers_ = std::unique_ptr<Transfers>(
        new Transfers{{door(), machine_, snapshot_retry_ticks, fetched}, {door(), machine_}});
  }
  return *transfers_;
}

/// Who is not known in this term: a voter that may be needed for what clients wait for, or a
/// learner that has just come.
CatchUpLimits Replica::limits_of(NodeId node) const {
  const CatchUpTerms& terms = catch_up_terms_;
  const auto contains = [node](const std::vector<NodeId>& nodes) {
    return std::ranges::find(nodes, node) != nodes.end();
  };
  const bool follower = terms.every_follower || contains(terms.followers);
  if (!terms.leader && !follower) return {};
  const bool seen = terms.term == raft_.term();
  const bool behind = raft_.membership().is_voter(node) ? seen && contains(terms.behind)
                                                        : !seen || !contains(terms.there);
  return behind ? CatchUpLimits{terms.leader, follower} : CatchUpLimits();
}

std::unique_ptr<wal::PartitionLog> Replica::take_log() {
  CHECK(closed_);
  store_->log().set_listener(nullptr);
  return store_->take_log();
}

void Replica::close() {
  if (std::exchange(closed_, true)) return;
  proposals_.close();
  for (Read& read : std::exchange(reads_, {})) {
    read.done(Error{Errc::closed, "the broker is stopping"});
  }
}

Leadership Replica::leadership() const {
  Leadership now{raft_.leader(), raft_.term(), false};
  now.ready = raft_.role() == Role::leader && applied_.term == raft_.term();
  return now;
}

void Replica::tell_leadership() {
  const Leadership now = leadership();
  if (now == told_) return;
  told_ = now;
  machine_.on_leadership(now);
}

// -- What is asked of this node.

void Replica::propose(SharedBytes payload, const ProposeOptions& options, ProposeDone done) {
  if (closed_) return done(Error{Errc::closed, "the broker is stopping"});
  if (const Result<void> admitted = proposals_.admit(payload.size()); !admitted) {
    return done(admitted.error());
  }
  const std::int64_t deadline = host_.now_ticks() + host_.ticks_of(options.timeout);
  if (options.only_in_term) {
    if (raft_.role() != Role::leader || raft_.term() != *options.only_in_term) {
      return done(Error{Errc::not_leader, fmt::format("this node does not lead in term {} any more",
                                                      *options.only_in_term)});
    }
    if (const Result<void> room = store_->log().admit(payload.size()); !room) {
      return done(room.error());
    }
    Result<Position> position = raft_.propose({std::move(payload)});
    if (!position) return done(std::move(position).error());
    proposals_.add_placed(*position, deadline, std::move(done));
    touch();
  } else {
    proposals_.add(std::move(payload), options.idempotent, deadline, std::move(done));
    drive();
    touch();
  }
  host_.settle();
}

Result<Position> Replica::append(SharedBytes payload) {
  if (closed_) return Error{Errc::closed, "the broker is stopping"};
  TRY(store_->log().admit(payload.size()));
  TRY_ASSIGN(const Position position, raft_.propose({std::move(payload)}));
  touch();
  host_.settle();
  CHECK(store_->last_index() >= position.index);
  return position;
}

/// Proposals that are queued go to the leader, in order.
void Replica::drive() {
  while (const Proposals::Proposal* proposal = proposals_.next()) {
    if (!drive_one(*proposal)) return;
  }
}

bool Replica::drive_one(const Proposals::Proposal& proposal) {
  const std::uint64_t id = proposal.id;
  if (raft_.role() != Role::leader) {
    // One that is not connected both ways would not hear of it, or not be heard: it is asked when
    // it is (on_node_up), or who leads by then.
    const NodeId leader = raft_.leader();
    if (leader == no_node || leader == host_.node() || !host_.is_up(leader)) return false;
    const SharedBytes payload = proposal.payload;
    const std::uint64_t request = proposals_.asked(id, leader);
    host_.send(leader, encode(ForwardedProposal{group_, host_.life(), request, payload}));
    return true;
  }
  // Who takes over will be asked.
  if (raft_.transfer_target() != no_node) return false;
  if (const Result<void> room = store_->log().admit(proposal.payload.size()); !room) {
    proposals_.finish(id, room.error());
    return true;
  }
  // An idempotent one may be appended again: its memory is then the log's already.
  SharedBytes payload =
      proposal.idempotent ? SharedBytes::copy_of(proposal.payload.view()) : proposal.payload;
  Result<Position> position = raft_.propose({std::move(payload)});
  if (position) {
    proposals_.placed(id, *position);
    touch();
  } else {
    proposals_.finish(id, std::move(position).error());
  }
  return true;
}

void Replica::read(milliseconds timeout, ReadDone done) {
  if (closed_) return done(Error{Errc::closed, "the broker is stopping"});
  reads_.push_back({host_.now_ticks() + host_.ticks_of(timeout), std::nullopt, std::move(done)});
  drive_reads();
  touch();
  host_.settle();
}

void Replica::drive_reads() {
  if (raft_.role() != Role::leader && !host_.is_up(raft_.leader())) return;
  for (Read& read : reads_) {
    if (read.id) continue;
    const Result<ReadId> asked = raft_.read();
    if (!asked) return;
    read.id = *asked;
  }
  if (!reads_.empty()) touch();
}

void Replica::change_membership(std::span<const MemberChange> changes, milliseconds timeout,
                                ProposeDone done) {
  if (closed_) return done(Error{Errc::closed, "the broker is stopping"});
  Result<Position> position = raft_.propose_membership(changes);
  if (!position) return done(std::move(position).error());
  proposals_.add_placed(*position, host_.now_ticks() + host_.ticks_of(timeout), std::move(done));
  touch();
  host_.settle();
}

Result<void> Replica::transfer_leadership(NodeId to) {
  TRY(raft_.transfer_leadership(to));
  touch();
  host_.settle();
  return {};
}

bool Replica::hand_over() {
  if (raft_.role() != Role::leader) return false;
  const Progress* best = nullptr;
  for (const Progress& peer : raft_.progress()) {
    if (!raft_.membership().is_voter(peer.id) || host_.is_leaving(peer.id)) continue;
    // Of those with the same log, whom this node has heard last is surely there.
    if (best == nullptr ||
        std::pair(peer.match, peer.heard) > std::pair(best->match, best->heard)) {
      best = &peer;
    }
  }
  return best != nullptr && transfer_leadership(best->id).has_value();
}

// -- What comes from other nodes.

/// Promises are those of the member only; all else may come from anybody.
bool Replica::counts(const Message& message) const {
  if (!message.is<VoteAnswer>() && !is_answer(message)) return true;
  const Uuid known = raft_.membership().directory_of(message.from);
  return known.is_zero() || known == host_.directory_of(message.from);
}

void Replica::step(const Message& message) {
  if (broken_ || !counts(message)) return;
  if (const auto* append = std::get_if<Append>(&message.body)) {
    for (const Entry& entry : append->entries) {
      if (entry.kind != EntryKind::data) continue;
      if (const Result<void> good = check_payload(entry.payload); !good) {
        log_warn("entries of another node are dropped", {{"group", group_.to_string()},
                                                         {"from", message.from},
                                                         {"index", entry.index},
                                                         {"why", good.error().message}});
        return;
      }
    }
  }
  if (const Result<void> taken = raft_.step(message); !taken) {
    log_warn("a message is dropped",
             {{"group", group_.to_string()}, {"why", taken.error().message}});
  }
  if (raft_.role() == Role::leader && is_answer(message)) machine_.on_held();
  if (message.is<Heartbeat>()) asked_to_rest_ = host_.now_ticks();
  touch();
}

void Replica::tick() {
  if (broken_) return;
  raft_.tick();
  const std::int64_t now = host_.now_ticks();
  proposals_.on_tick(now);
  std::vector<ReadDone> late;
  std::erase_if(reads_, [&](Read& read) {
    if (read.deadline > now) return false;
    late.push_back(std::move(read.done));
    return true;
  });
  for (ReadDone& done : late) {
    done(Error{Errc::timeout, "no leader could say in time what is committed; try again"});
  }
  if (transfers_ != nullptr) {
    transfers_->fetcher.on_tick();
    transfers_->sender.on_tick(snapshot_idle_ticks);
  }
  drive();
  drive_reads();
  touch();
}

void Replica::patrol(std::int64_t silence_max) {
  if (raft_.role() == Role::leader) {
    raft_.patrol();
  } else if (host_.now_ticks() - asked_to_rest_ > silence_max) {
    raft_.on_node_up(raft_.leader());
  }
  touch();
}

void Replica::campaign_now() {
  raft_.campaign_now();
  touch();
}

bool Replica::majority_is_up() const {
  const Membership& membership = raft_.membership();
  if (membership.voters.empty()) return false;
  return quorum_vote(membership, [&](NodeId node) {
           return host_.is_up(node) ? Ballot::granted : Ballot::refused;
         }) == VoteResult::won;
}

void Replica::on_node_up(NodeId node) {
  raft_.on_node_up(node);
  if (raft_.leader() == no_node && majority_is_up()) raft_.on_majority_up();
  if (raft_.leader() == node) {
    drive();
    drive_reads();
  }
  touch();
}

void Replica::on_node_down(NodeId node) {
  raft_.on_node_down(node);
  proposals_.on_node_down(node);
  if (transfers_ != nullptr) transfers_->fetcher.on_node_down(node);
  touch();
}

void Replica::on_forwarded(NodeId from, ForwardedProposal proposal) {
  Seen& seen = seen_[from];
  if (seen.life == proposal.life && proposal.request <= seen.request) return;
  seen = {proposal.life, proposal.request};
  ForwardAnswer answer{group_, proposal.life, proposal.request, ForwardCode::not_leader, {}, {}};
  const auto refuse = [&](ForwardCode code, const Error& error) {
    answer.code = code;
    answer.message = error.message;
    host_.send(from, encode(answer));
  };
  if (raft_.role() != Role::leader || raft_.transfer_target() != no_node || closed_) {
    return refuse(ForwardCode::not_leader, {Errc::not_leader, "it does not lead"});
  }
  if (const Result<void> good = check_payload(proposal.payload); !good) {
    return refuse(ForwardCode::invalid, good.error());
  }
  if (const Result<void> room = store_->log().admit(proposal.payload.size()); !room) {
    return refuse(ForwardCode::no_space, room.error());
  }
  const Result<Position> position = raft_.propose({std::move(proposal.payload)});
  if (!position) {
    const Errc code = position.error().code;
    return refuse(code == Errc::too_large    ? ForwardCode::too_large
                  : code == Errc::not_leader ? ForwardCode::not_leader
                                             : ForwardCode::busy,
                  position.error());
  }
  answer.code = ForwardCode::appended;
  answer.position = *position;
  // Before the entry itself is sent: so the node that asked knows the place when it applies it.
  host_.send(from, encode(answer));
  touch();
}

void Replica::on_forward_answer(NodeId from, const ForwardAnswer& answer) {
  const Proposals::Proposal* proposal = proposals_.find_asked(from, answer.request);
  if (answer.life != host_.life() || proposal == nullptr) return;
  const std::uint64_t id = proposal->id;
  switch (answer.code) {
    case ForwardCode::appended:
      proposals_.placed(id, answer.position);
      // Too late to see it applied.
      if (answer.position.index <= applied_.index) proposals_.on_restored(applied_.index);
      return;
    case ForwardCode::not_leader:
      // Asked again with the next tick, or as soon as another one leads.
      return proposals_.again(id);
    case ForwardCode::busy:
      return proposals_.finish(id, Error{Errc::busy, answer.message});
    case ForwardCode::too_large:
      return proposals_.finish(id, Error{Errc::too_large, answer.message});
    case ForwardCode::invalid:
      return proposals_.finish(id, Error{Errc::corrupt, answer.message});
    case ForwardCode::no_space:
      return proposals_.finish(id, Error{Errc::no_space, answer.message});
  }
}

void Replica::on_snapshot_request(NodeId from, const SnapshotRequest& request) {
  transfers().sender.on_request(from, request);
  touch();
}

void Replica::on_snapshot_chunk(NodeId from, const SnapshotChunk& chunk) {
  if (transfers_ != nullptr) transfers_->fetcher.on_chunk(from, chunk);
}

void Replica::on_fetched(const SnapshotMeta& meta, bool fetched) {
  if (fetched) {
    fetched_ = transfers_->fetcher.take();
    raft_.on_snapshot_fetched(meta);
  } else {
    raft_.on_snapshot_failed(meta);
  }
  touch();
  host_.settle();
}

// -- What the machine says.

bool Replica::on_snapshot_written(Index index) {
  if (index < store_->first_index() - 1 || index > store_->last_index()) return false;
  // A log that was to begin at `base` and did not before the power went is replayed from its old
  // begin when the machine's snapshots are lost: who belonged to the group there, nobody knows.
  if (index < raft_.log().memberships_begin()) return false;
  store_->set_snapshot({index, store_->term(index), raft_.log().membership_at(index)});
  return true;
}

void Replica::compact(Offset offset) {
  wal::PartitionLog& log = store_->log();
  if (offset <= log.log_start_offset()) return;
  // What was in force at the new begin is known from the state file, which is saved before.
  const Result<void> cut = log.delete_before(offset, raft_.log().applied());
  CHECK_MSG(cut.has_value(), cut.error().message);
  on_log_begin_moved();
}

void Replica::on_log_begin_moved() {
  const Index commit = raft_.log().commit();
  const Index begin = std::min(store_->first_index() - 1, commit);
  if (begin > state_.base.index) {
    state_.base = {begin, raft_.log().membership_at(begin)};
    save_base_ = true;
  }
  raft_.on_log_compacted();
  // The pass marks the log dirty behind the state; a flush that comes first changes nothing yet:
  // the begin moves with a checkpoint.
  if (!save_base_) host_.group_commit().mark_dirty(store_->log());
  if (!delivers_) on_snapshot_written(store_->first_index() - 1);
  touch();
  host_.settle();
}

}  // namespace chronik::raft
