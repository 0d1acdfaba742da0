#include <limits>

#include "raft/core/raft.h"

namespace chronik::raft {

Result<ReadId> Raft::read() {
  if (leader_ == no_node) {
    return Error{Errc::not_leader,
                 "no leader is known that could tell what is committed; try again"};
  }
  wake(options_.id);
  const ReadId id = next_read_++;
  own_reads_.asked(id, ticks_);
  if (role_ == Role::leader) {
    on_read_index(options_.id, id);
  } else {
    send(leader_, ReadIndex{id});
  }
  return id;
}

void Raft::on_read_index(NodeId from, ReadId id) {
  if (!committed_in_term()) return read_queue_.add(from, id, 0, 0);
  if (has_lease()) return answer_read(from, id, log_.commit());
  read_queue_.add(from, id, log_.commit(), round_ + 1);
  confirm_reads();  // alone, it is its own quorum
}

void Raft::answer_read(NodeId to, ReadId id, Index index) {
  if (to == options_.id) return own_reads_.known(id, index, ticks_);
  send(to, ReadIndexAnswer{id, index});
}

Round Raft::confirmed_round() const {
  return quorum_value(membership(), [&](NodeId node) -> Round {
    for (const Progress& peer : progress_) {
      if (peer.id == node) return peer.round;
    }
    return std::numeric_limits<Round>::max();
  });
}

void Raft::confirm_reads() {
  if (read_queue_.empty()) return;
  for (const ReadQueue::Read& read : read_queue_.take_confirmed(confirmed_round())) {
    answer_read(read.from, read.id, read.index);
  }
}

bool Raft::has_lease() const {
  if (!options_.lease_reads || !committed_in_term() || lease_given_away_) return false;
  const Round round = confirmed_round();
  if (round > round_) return true;  // a group of one
  const auto age = static_cast<std::size_t>(round_ - round);
  if (round == 0 || age >= round_ticks_.size()) return false;
  const std::int64_t sent = round_ticks_[round_ticks_.size() - 1 - age];
  return ticks_ - sent <= options_.election_ticks - 2 - options_.lease_margin_ticks;
}

}  // namespace chronik::raft
