// When a replica rests, and what wakes it (rest.h).
#include "raft/core/rest.h"

#include <algorithm>

#include "raft/core/raft.h"

namespace chronik::raft {

/// Of a leader: everybody who is there has everything, and nothing is under way.
bool Raft::may_rest() const {
  if (!committed_in_term() || membership().is_joint() || transfer_to_ != no_node) return false;
  if (log_.applied() != log_.last_index() || has_ready() || !in_flight_.empty()) return false;
  if (!read_queue_.empty() || !own_reads_.empty()) return false;
  // Who learns gets a vote soon, from a driver that wants to see it answer.
  if (!membership().learners.empty()) return false;
  const bool all_have_it = std::ranges::all_of(progress_, [this](const Progress& peer) {
    if (is_away(peer.id)) return true;
    return peer.state == ProgressState::replicate && peer.match == log_.last_index() &&
           peer.sent_commit == shown_commit();
  });
  return all_have_it && quorum_vote(membership(), [this](NodeId node) {
                          return is_away(node) ? Ballot::refused : Ballot::granted;
                        }) == VoteResult::won;
}

/// With each tick of a leader; true: it rests.
bool Raft::comes_to_rest() {
  if (options_.rest_after_ticks == 0) return false;
  if (!may_rest()) {
    rest_ = {};
    return false;
  }
  const bool asked = rest_.asked_from > 0;
  if (asked && std::ranges::all_of(progress_, [this](const Progress& peer) {
        return is_away(peer.id) || peer.rested >= rest_.asked_from;
      })) {
    rest_.now = true;
    round_ticks_.clear();
    return true;
  }
  if (!asked && ++rest_.idle_ticks >= options_.rest_after_ticks) rest_.asked_from = round_ + 1;
  return false;
}

bool Raft::may_rest_under(const Heartbeat& heartbeat) const {
  if (options_.rest_after_ticks == 0 || is_away(leader_)) return false;
  const bool has_it = matched_ == heartbeat.commit && log_.last_index() == heartbeat.commit &&
                      log_.applied() == heartbeat.commit;
  return has_it && !has_ready() && in_flight_.empty() && !fetching_ && own_reads_.empty();
}

/// Whether a rest, or a leader's waiting for one, goes on with this message.
bool Raft::lets_rest(const Message& message) const {
  // From one that was removed, and does not know: it would wake the others for ever. That it is no
  // member all know, since they have the whole log.
  const auto* vote = std::get_if<Vote>(&message.body);
  if (vote != nullptr && !vote->transfer && !membership().contains(message.from)) return true;
  if (message.term != hard_.term) return false;
  if (const auto* answer = std::get_if<HeartbeatAnswer>(&message.body)) {
    return role_ == Role::leader && (answer->rests || !rest_.now);
  }
  const auto* heartbeat = std::get_if<Heartbeat>(&message.body);
  return heartbeat != nullptr && heartbeat->rest && message.from == leader_;
}

void Raft::wake(NodeId by) {
  if (!std::exchange(rest_, {}).now) return;
  if (role_ == Role::leader) {
    heartbeat_elapsed_ = options_.heartbeat_ticks;  // the next tick tells the others
    return;
  }
  election_elapsed_ = 0;
  if (leader_ != no_node && by != leader_) send(leader_, answer_to(0));
}

bool Raft::concerns(NodeId node) const {
  if (role_ != Role::leader) return node == leader_;
  return std::ranges::find(progress_, node, &Progress::id) != progress_.end();
}

void Raft::on_node_up(NodeId node) {
  if (concerns(node)) wake(node);
}

void Raft::patrol() {
  CHECK(rest_.now && role_ == Role::leader);
  const bool all_answered = std::ranges::all_of(
      progress_, [this](const Progress& peer) { return is_away(peer.id) || peer.round >= round_; });
  if (!all_answered) return wake(options_.id);
  ++round_;
  for (const Progress& peer : progress_) send(peer.id, Heartbeat{round_, shown_commit(), true});
}

}  // namespace chronik::raft
