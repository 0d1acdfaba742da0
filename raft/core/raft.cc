#include "raft/core/raft.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <limits>

namespace chronik::raft {
namespace {

Error wrong(const Message& message, std::string what) {
  return Error{Errc::invalid_argument, fmt::format("a message of node {} in term {} is dropped: {}",
                                                   message.from, message.term, what)};
}

/// Why no leader would send this; empty when it is well-formed.
std::string fault_of(const Append& append, Term term) {
  if (append.prev.index < 0 || append.prev.term < 0 || append.commit < 0)
    return "a negative number";
  Position last = append.prev;
  for (const Entry& entry : append.entries) {
    if (entry.index != last.index + 1) return "its entries have a gap";
    if (entry.term < last.term || entry.term > term) return "the terms of its entries fall";
    if (entry.kind == EntryKind::membership && !decode_membership(entry.payload)) {
      return "it has a membership that cannot be read";
    }
    last = {entry.term, entry.index};
  }
  return {};
}

bool is_of_leader(const Message& message) {
  return message.is<Append>() || message.is<Heartbeat>() || message.is<SnapshotOffer>() ||
         message.is<TimeoutNow>();
}

}  // namespace

HardState withhold(const HardState& before) {
  CHECK(before.term < std::numeric_limits<Term>::max());
  return HardState{before.term + 1, no_node, std::max(before.withheld_until, before.term + 1)};
}

Raft::Raft(Options options, const Storage& storage, Recovered recovered)
    : options_(std::move(options)),
      log_(storage, recovered.commit, recovered.applied, std::move(recovered.memberships)),
      hard_(recovered.hard_state),
      handed_hard_(recovered.hard_state),
      durable_hard_(recovered.hard_state) {
  CHECK(options_.id >= 0 && options_.random);
  CHECK(options_.heartbeat_ticks >= 1 && options_.election_ticks > options_.heartbeat_ticks);
  CHECK(!options_.lease_reads || options_.election_ticks > 2 + options_.lease_margin_ticks);
  CHECK(log_.last().term <= hard_.term);
  next_read_ = options_.random();
  if (options_.lease_reads && hard_.term > 0) silent_ticks_ = options_.election_ticks;
  told_soft_ = SoftState{role_, leader_, hard_.term};
  told_commit_ = log_.commit();
  reset_election_timer();
}

Result<void> Raft::step(const Message& message) {
  TRY(validate(message));
  if (!lets_rest(message)) wake(message.from);
  if (message.term < hard_.term) {
    on_older_term(message);
  } else if (message.term == hard_.term || enter_term_of(message)) {
    dispatch(message);
  }
  return {};
}

Result<void> Raft::validate(const Message& message) const {
  if (message.to != options_.id) return wrong(message, fmt::format("it is for {}", message.to));
  if (message.from < 0 || message.from == options_.id) return wrong(message, "nobody sent it");
  if (message.term < 1) return wrong(message, "no term begins before 1");
  if (const auto* append = std::get_if<Append>(&message.body)) {
    const std::string fault = fault_of(*append, message.term);
    if (!fault.empty()) return wrong(message, fault);
  }
  if (message.term != hard_.term) return {};
  if (is_of_leader(message) &&
      (role_ == Role::leader || (leader_ != no_node && leader_ != message.from))) {
    return wrong(message, fmt::format("node {} leads this term", leader_));
  }
  if (role_ != Role::leader) return {};
  if (const auto* answer = std::get_if<AppendAnswer>(&message.body)) {
    if (answer->accepted && answer->index > log_.last_index()) {
      return wrong(message, "it acknowledges entries that were never sent");
    }
  }
  if (const auto* answer = std::get_if<HeartbeatAnswer>(&message.body)) {
    if (answer->round > round_) return wrong(message, "it answers a round that never was");
    if (answer->durable > log_.last_index()) {
      return wrong(message, "it acknowledges entries that were never sent");
    }
  }
  return {};
}

// Its sender takes itself for a leader or candidate, or waits for us: it shall learn of our term. A
// replica that is ahead in term but behind in log can neither lead nor follow until somebody moves.
void Raft::on_older_term(const Message& message) {
  if (message.is<Append>() || message.is<Heartbeat>() || message.is<SnapshotOffer>()) {
    send(message.from, TermNotice{});
  } else if (const auto* vote = std::get_if<Vote>(&message.body)) {
    send(message.from, VoteAnswer{vote->pre, false});
  }
}

// False: the message is dropped instead.
bool Raft::enter_term_of(const Message& message) {
  if (const auto* vote = std::get_if<Vote>(&message.body)) {
    if (!vote->transfer && hears_leader()) return false;
    if (vote->pre) return true;  // asks about a term that nobody is in yet
  }
  if (const auto* answer = std::get_if<VoteAnswer>(&message.body)) {
    if (answer->pre && answer->granted) return true;
  }
  const bool led = role_ == Role::leader;
  become_follower(message.term, is_of_leader(message) ? message.from : no_node);
  if (led && message.is<TermNotice>() && !membership().is_voter(message.from) && may_campaign()) {
    // From a replica that comes back and refuses the term in which it left. It elects nobody, so
    // the others need not wait for their timeouts; this leader has given its lease up.
    campaign(/*pre=*/false, /*transfer=*/true);
    return false;
  }
  return true;
}

void Raft::dispatch(const Message& message) {
  const NodeId from = message.from;
  if (const auto* vote = std::get_if<Vote>(&message.body))
    return on_vote(from, message.term, *vote);
  if (const auto* answer = std::get_if<VoteAnswer>(&message.body)) {
    return on_vote_answer(from, *answer);
  }
  if (const auto* append = std::get_if<Append>(&message.body)) return on_append(from, *append);
  if (const auto* beat = std::get_if<Heartbeat>(&message.body)) return on_heartbeat(from, *beat);
  if (const auto* offer = std::get_if<SnapshotOffer>(&message.body)) {
    return on_snapshot_offer(from, *offer);
  }
  if (message.is<TimeoutNow>()) return on_timeout_now();
  if (const auto* answer = std::get_if<ReadIndexAnswer>(&message.body)) {
    return own_reads_.known(answer->id, answer->index, ticks_);
  }
  if (role_ != Role::leader) return;
  if (const auto* read = std::get_if<ReadIndex>(&message.body))
    return on_read_index(from, read->id);
  if (const auto* propose = std::get_if<Propose>(&message.body)) return on_propose(*propose);
  Progress* peer = find_progress(from);
  if (peer == nullptr) return;
  peer->heard = ticks_;
  if (const auto* answer = std::get_if<AppendAnswer>(&message.body)) {
    on_append_answer(*peer, *answer);
  } else if (const auto* beat_answer = std::get_if<HeartbeatAnswer>(&message.body)) {
    on_heartbeat_answer(*peer, *beat_answer);
  } else if (const auto* snapshot = std::get_if<SnapshotAnswer>(&message.body)) {
    on_snapshot_answer(*peer, *snapshot);
  }
}

void Raft::tick() {
  if (rest_.now) return;
  ++ticks_;
  if (silent_ticks_ > 0) --silent_ticks_;
  if (role_ == Role::leader) return tick_leader();
  // A vote, or a term, is on its way to the disk, and nobody could be answered yet. To campaign
  // anew meanwhile would give a disk that is too slow for so many elections the more to write.
  if (hard_ != durable_hard_) return;
  if (++election_elapsed_ < election_timeout_) {
    const auto read = leader_ == no_node ? std::nullopt : own_reads_.to_ask_again(ticks_);
    if (read) send(leader_, ReadIndex{*read});
    return;
  }
  if (may_campaign()) return campaign(/*pre=*/true, /*transfer=*/false);
  // The leader is gone for this one as well, or it would keep its vote from those who may campaign.
  leader_ = no_node;
  lose_reads();
  reset_election_timer();
}

void Raft::campaign_now() {
  if (role_ != Role::leader && may_campaign()) campaign(/*pre=*/true, /*transfer=*/false);
}

void Raft::on_node_down(NodeId node) {
  if (concerns(node)) wake(node);
  if (role_ == Role::leader || node != leader_ || options_.lease_reads) return;
  leader_ = no_node;
  lose_reads();
  campaign_soon(1, node);
}

void Raft::on_majority_up() {
  if (role_ != Role::follower || leader_ != no_node || options_.lease_reads) return;
  campaign_soon(3, no_node);
}

/// One after the other, whose turn is first by the term: two candidates of the same moment would
/// split the votes, and then wait for whole timeouts. Who is too early, before the others know that
/// there is no leader, or has a log that is too short, tries again after a round.
void Raft::campaign_soon(int ticks, NodeId without) {
  int before = 0;
  int others = 0;
  for (const NodeId voter : membership().voters) {
    if (voter == without) continue;
    before += voter < options_.id ? 1 : 0;
    ++others;
  }
  const int turn = others == 0 ? 0 : (before + hard_.term) % others;
  election_elapsed_ = std::max(election_elapsed_, election_timeout_ - ticks - 2 * turn);
  soon_ = 3;
}

void Raft::become_follower(Term term, NodeId leader) {
  CHECK(term >= hard_.term);
  const bool was_follower = role_ == Role::follower;
  role_ = Role::follower;
  rest_ = {};
  if (term > hard_.term) {
    hard_.term = term;
    hard_.vote = no_node;
    reset_for_term();
  }
  leader_ = leader;
  if (leader != no_node) soon_ = 0;
  votes_.clear();
  progress_.clear();
  read_queue_.clear();
  uncommitted_.clear();
  uncommitted_bytes_ = 0;
  abort_transfer();
  lose_reads();
  // A candidate that moves the term on shall not put off those with a better log.
  if (!was_follower || leader != no_node) reset_election_timer();
}

void Raft::reset_for_term() { matched_ = 0; }

void Raft::reset_election_timer() {
  election_elapsed_ = 0;
  const auto range = static_cast<std::uint64_t>(options_.election_ticks);
  election_timeout_ = options_.election_ticks + static_cast<int>(options_.random() % range);
  if (soon_ == 0) return;
  const auto round_of_turns = 2 * (static_cast<int>(membership().voters.size()) - 1);
  election_timeout_ = std::clamp(round_of_turns, 1, election_timeout_);
}

bool Raft::hears_leader() const {
  if (silent_ticks_ > 0 || role_ == Role::leader) return true;
  return leader_ != no_node && election_elapsed_ < options_.election_ticks;
}

bool Raft::votes_in(const Membership& membership) const {
  return membership.is_voter(options_.id) && membership.is_member(options_.id, options_.directory);
}

bool Raft::may_campaign() const {
  if (is_withheld()) return false;
  const MembershipAt& last = log_.membership();
  if (votes_in(last.membership)) return true;
  return last.index > log_.commit() && votes_in(log_.membership_at(log_.commit()));
}

void Raft::send(NodeId to, MessageBody body, Term term) {
  const bool beat =
      std::holds_alternative<Heartbeat>(body) || std::holds_alternative<HeartbeatAnswer>(body);
  (beat ? heartbeats_ : messages_).push_back(Message{options_.id, to, term, std::move(body)});
}

void Raft::send_when_durable(NodeId to, MessageBody body) {
  when_durable_.push_back(Message{options_.id, to, hard_.term, std::move(body)});
}

void Raft::commit_to(Index index) {
  if (index <= log_.commit()) return;
  log_.commit_to(index);
  release_if_complete();
  if (role_ == Role::leader) on_leader_commit();
}

void Raft::be_told(Index leader_commit) {
  if (hard_.withheld_until != until_told) return;
  if (!told_ || told_->term < hard_.term) told_ = Position{hard_.term, leader_commit};
}

void Raft::release_if_complete() {
  if (!is_withheld()) return;
  const Index complete = std::min(log_.commit(), log_.durable());
  if (hard_.withheld_until == until_told) {
    const bool released =
        told_ && complete >= told_->index && log_.term(complete).value_or(0) >= told_->term;
    if (released) hard_.withheld_until = 0;
    return;
  }
  if (log_.term(complete).value_or(0) >= hard_.withheld_until) hard_.withheld_until = 0;
}

void Raft::lose_reads() {
  for (ReadId id : own_reads_.take_asked()) reads_lost_.push_back(id);
}

}  // namespace chronik::raft
