#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "raft/core/raft.h"

namespace chronik::raft {
namespace {

Error not_leader(NodeId leader) {
  if (leader == no_node) return Error{Errc::not_leader, "no leader is known; try again"};
  return Error{Errc::not_leader, fmt::format("node {} leads; ask it", leader)};
}

}  // namespace

void Raft::become_leader() {
  CHECK(role_ == Role::candidate && durable_hard_.term == hard_.term);
  role_ = Role::leader;
  leader_ = options_.id;
  soon_ = 0;
  votes_.clear();
  progress_.clear();
  read_queue_.clear();
  round_ = 0;
  round_ticks_.clear();
  heartbeat_elapsed_ = 0;
  rest_ = {};
  lease_given_away_ = false;
  renew_progress();
  term_begin_ = log_.last_index() + 1;
  // Only an entry of its own term tells a leader what is committed (thesis 3.6.2 and 6.4).
  append_own(EntryKind::no_op, {});
}

void Raft::renew_progress() {
  std::vector<Progress> renewed;
  for (NodeId node : membership().members()) {
    if (node == options_.id) continue;
    const Uuid directory = membership().directory_of(node);
    if (Progress* known = find_progress(node); known != nullptr && known->directory == directory) {
      renewed.push_back(std::move(*known));
      continue;
    }
    Progress peer;
    peer.id = node;
    peer.directory = directory;
    peer.next = log_.last_index() + 1;
    peer.heard = ticks_;
    renewed.push_back(std::move(peer));
  }
  progress_ = std::move(renewed);
  replicate_wanted_ = true;
}

Progress* Raft::find_progress(NodeId node) {
  const auto found = std::find_if(progress_.begin(), progress_.end(),
                                  [&](const Progress& peer) { return peer.id == node; });
  return found == progress_.end() ? nullptr : &*found;
}

void Raft::append_own(EntryKind kind, SharedBytes payload) {
  wake(options_.id);
  Entry entry{hard_.term, log_.last_index() + 1, kind, std::move(payload)};
  if (kind == EntryKind::data) {
    uncommitted_.emplace_back(entry.index, entry.bytes());
    uncommitted_bytes_ += entry.bytes();
  }
  log_.append(std::move(entry));
  replicate_wanted_ = true;
}

void Raft::tick_leader() {
  if (!leads_with_quorum()) return become_follower(hard_.term, no_node);
  if (transfer_to_ != no_node && ++transfer_elapsed_ >= options_.election_ticks) abort_transfer();
  if (comes_to_rest()) return;
  if (++heartbeat_elapsed_ >= options_.heartbeat_ticks) broadcast_heartbeat(false);
}

bool Raft::leads_with_quorum() const {
  const std::int64_t heard = quorum_value(membership(), [&](NodeId node) -> std::int64_t {
    for (const Progress& peer : progress_) {
      if (peer.id == node) return peer.heard;
    }
    return ticks_;
  });
  return ticks_ - heard <= options_.election_ticks;
}

Result<Position> Raft::propose(std::vector<SharedBytes> payloads) {
  CHECK(!payloads.empty());
  if (role_ != Role::leader && options_.forward_proposals && leader_ != no_node) {
    send(leader_, Propose{std::move(payloads)});
    return Position{};
  }
  if (role_ != Role::leader) return not_leader(leader_);
  if (transfer_to_ != no_node) {
    return Error{Errc::busy, fmt::format("leadership is handed over to node {}; ask it, or again",
                                         transfer_to_)};
  }
  std::uint64_t bytes = 0;
  for (const SharedBytes& payload : payloads) bytes += payload.size();
  // A single proposal above the limit must pass at some time.
  if (uncommitted_bytes_ > 0 && uncommitted_bytes_ + bytes > options_.uncommitted_bytes_max) {
    return Error{Errc::busy,
                 fmt::format("{} bytes wait to be committed, {} more would exceed the limit of {}; "
                             "is a majority of the members reachable? Try again later",
                             uncommitted_bytes_, bytes, options_.uncommitted_bytes_max)};
  }
  const Position first{hard_.term, log_.last_index() + 1};
  for (SharedBytes& payload : payloads) append_own(EntryKind::data, std::move(payload));
  return first;
}

void Raft::on_propose(const Propose& propose_message) {
  if (propose_message.payloads.empty()) return;
  // Nobody waits here for the outcome: the one who forwarded asks again when it never commits.
  (void)propose(propose_message.payloads);
}

Result<void> Raft::may_change_membership() const {
  if (role_ != Role::leader) return not_leader(leader_);
  if (!committed_in_term()) {
    return Error{Errc::busy, "the leader has committed nothing in its term yet; try again"};
  }
  // Who comes back must be told of its removal (be_told()).
  if (log_.membership().index > shown_commit()) {
    return Error{Errc::busy, fmt::format("the change at index {} is not committed yet; try again",
                                         log_.membership().index)};
  }
  return {};
}

Result<Position> Raft::propose_membership(std::span<const MemberChange> changes,
                                          Transition transition) {
  TRY(may_change_membership());
  if (transfer_to_ != no_node) return Error{Errc::busy, "leadership is handed over; ask again"};
  TRY_ASSIGN(const Membership to, changed(membership(), changes, transition));
  return append_membership(to);
}

Result<Position> Raft::propose_leave_joint() {
  TRY(may_change_membership());
  if (!membership().is_joint()) {
    return Error{Errc::invalid_argument, "no joint change is under way that could end"};
  }
  return append_membership(after_joint(membership()));
}

Result<Position> Raft::append_membership(const Membership& to) {
  const Position at{hard_.term, log_.last_index() + 1};
  append_own(EntryKind::membership, encode_membership(to));
  renew_progress();
  if (transfer_to_ != no_node && !membership().is_voter(transfer_to_)) abort_transfer();
  return at;
}

void Raft::on_append_answer(Progress& peer, const AppendAnswer& answer) {
  replicate_wanted_ = true;
  if (!answer.accepted) {
    peer.on_rejected(answer.index, log_.last_at_most(answer.hint).index + 1);
    return;
  }
  const bool news = peer.on_accepted(answer.index);
  const bool was_behind = peer.state == ProgressState::snapshot;
  const bool reached =
      was_behind ? peer.match + 1 >= log_.first_index() : answer.index >= peer.match;
  if (peer.state != ProgressState::replicate && reached) peer.become_replicate();
  maybe_time_out_target(peer);
  if (news) maybe_commit();
}

void Raft::on_heartbeat_answer(Progress& peer, const HeartbeatAnswer& answer) {
  peer.withheld = answer.withheld;
  peer.round = std::max(peer.round, answer.round);
  peer.rested = answer.rests ? std::max(peer.rested, answer.round) : 0;
  peer.on_heartbeat_answer(answer.received);
  if (peer.state == ProgressState::snapshot && ticks_ - peer.offered >= options_.election_ticks) {
    offer_snapshot(peer);  // the offer, or the answer, may have been lost
  }
  replicate_wanted_ = true;
  maybe_time_out_target(peer);
  confirm_reads();
  // Last, since what it commits may change who the members are.
  if (answer.durable > peer.match) on_append_answer(peer, AppendAnswer{true, answer.durable, {}});
}

void Raft::on_snapshot_answer(Progress& peer, const SnapshotAnswer& answer) {
  // A fetch that failed is offered again with the heartbeats, so that it cannot go round in a
  // circle.
  if (answer.installed) on_append_answer(peer, AppendAnswer{true, answer.index, {}});
}

bool Raft::committed_in_term() const {
  return role_ == Role::leader && log_.commit() >= term_begin_;
}

void Raft::maybe_commit() {
  const Index index = quorum_value(membership(), [&](NodeId node) -> Index {
    if (node == options_.id) return log_.durable();
    for (const Progress& peer : progress_) {
      if (peer.id == node) return peer.match;
    }
    return 0;
  });
  // Entries of older terms are committed by what follows them only (figure 8 of the paper).
  if (index > log_.commit() && log_.term(index) == hard_.term) commit_to(index);
}

void Raft::on_leader_commit() {
  replicate_wanted_ = true;
  while (!uncommitted_.empty() && uncommitted_.front().first <= log_.commit()) {
    uncommitted_bytes_ -= uncommitted_.front().second;
    uncommitted_.pop_front();
  }
  if (!committed_in_term()) return;
  read_queue_.begin(log_.commit(), round_ + 1);
  confirm_reads();
  const MembershipAt& last = log_.membership();
  if (last.index > log_.commit()) return;
  if (last.membership.is_joint() && last.membership.auto_leave) {
    // No limit and no hand-over stands against it: nobody would ask a second time.
    (void)append_membership(after_joint(last.membership));
  } else if (!last.membership.is_voter(options_.id)) {
    step_down_removed();
  }
}

// The change that removes this leader is committed. It tells so once more, and hands over to who is
// furthest instead of leaving the group to its timeouts.
void Raft::step_down_removed() {
  replicate();
  const Progress* best = nullptr;
  for (const Progress& peer : progress_) {
    if (!membership().is_voter(peer.id)) continue;
    if (best == nullptr || peer.match > best->match) best = &peer;
  }
  if (best != nullptr) send(best->id, TimeoutNow{});
  become_follower(hard_.term, no_node);
}

Result<void> Raft::transfer_leadership(NodeId to) {
  if (role_ != Role::leader) return not_leader(leader_);
  if (!membership().is_voter(to)) {
    return Error{Errc::invalid_argument,
                 fmt::format("node {} cannot lead: it does not vote in this group", to)};
  }
  if (to == options_.id) {
    abort_transfer();
    return {};
  }
  if (to == transfer_to_) return {};
  wake(options_.id);
  transfer_to_ = to;
  transfer_elapsed_ = 0;
  replicate_wanted_ = true;
  maybe_time_out_target(*find_progress(to));
  return {};
}

void Raft::maybe_time_out_target(const Progress& peer) {
  if (transfer_to_ != peer.id || peer.match != log_.last_index()) return;
  lease_given_away_ = true;
  send(peer.id, TimeoutNow{});
}

void Raft::abort_transfer() {
  transfer_to_ = no_node;
  transfer_elapsed_ = 0;
}

}  // namespace chronik::raft
