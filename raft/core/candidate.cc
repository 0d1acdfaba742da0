#include <limits>

#include "raft/core/raft.h"

namespace chronik::raft {

void Raft::campaign(bool pre, bool transfer) {
  rest_ = {};
  CHECK(may_campaign() && role_ != Role::leader);
  leader_ = no_node;
  lose_reads();
  votes_.clear();
  campaign_transfer_ = transfer;
  if (pre && soon_ > 0) --soon_;
  reset_election_timer();
  CHECK(hard_.term < std::numeric_limits<Term>::max());
  if (pre) {
    role_ = Role::pre_candidate;
    votes_[options_.id] = true;
  } else {
    role_ = Role::candidate;
    ++hard_.term;
    hard_.vote = options_.id;
    reset_for_term();
    // The own vote is counted when it is durable (on_persisted).
  }
  for (NodeId node : membership().members()) {
    if (node == options_.id || !membership().is_voter(node)) continue;
    Vote vote{pre, transfer, log_.last()};
    if (pre) {
      send(node, vote, hard_.term + 1);
    } else {
      send_when_durable(node, vote);
    }
  }
  count_votes();
}

void Raft::count_votes() {
  const VoteResult result = quorum_vote(membership(), [&](NodeId node) {
    const auto vote = votes_.find(node);
    if (vote == votes_.end()) return Ballot::missing;
    return vote->second ? Ballot::granted : Ballot::refused;
  });
  if (result == VoteResult::lost) return become_follower(hard_.term, no_node);
  if (result == VoteResult::pending) return;
  if (role_ == Role::pre_candidate) return campaign(/*pre=*/false, campaign_transfer_);
  become_leader();
}

void Raft::on_vote(NodeId from, Term term, const Vote& vote) {
  const bool log_is_enough = !is_withheld() && log_.is_covered_by(vote.last);
  if (vote.pre) {
    // Binds to nothing: several may get one, and the election timer goes on.
    const bool granted = term > hard_.term && log_is_enough;
    return send(from, VoteAnswer{true, granted}, granted ? term : hard_.term);
  }
  CHECK(term == hard_.term);
  const bool free = hard_.vote == from || (hard_.vote == no_node && leader_ == no_node);
  if (!free || !log_is_enough) return send_when_durable(from, VoteAnswer{false, false});
  hard_.vote = from;
  election_elapsed_ = 0;
  send_when_durable(from, VoteAnswer{false, true});
}

void Raft::on_vote_answer(NodeId from, const VoteAnswer& answer) {
  if (role_ != (answer.pre ? Role::pre_candidate : Role::candidate)) return;
  votes_.emplace(from, answer.granted);
  count_votes();
}

void Raft::on_timeout_now() {
  // A pre-vote would ask whom the old leader still keeps from voting.
  if (may_campaign()) campaign(/*pre=*/false, /*transfer=*/true);
}

}  // namespace chronik::raft
