// Reassignment: what the leader of a group does so that other nodes vote in it than now. Those that
// come are learners first (Newcomers takes them in), and get their votes when all of them hold the
// log; in the same change, joint where it must be (thesis 4.3), those that go lose theirs. So at no
// moment fewer disks count than before. A node that has just died may look connected for a while:
// so the votes change only when those who get one, and a majority of those who will vote, have
// answered since the last look and within the last heartbeats. The leader of a group must be ticked
// for that. Pure; owned by who drives the leader.
#pragma once

#include <span>
#include <vector>

#include "raft/core/raft.h"

namespace chronik::raft {

/// Whether exactly these nodes are members, all of them with a vote, and that is committed.
bool votes_in(const Raft& raft, std::span<const NodeId> wanted);

class Reassignment {
 public:
  /// What to change now, as one change; empty: nothing, or one is under way, or somebody is not
  /// there yet. Called now and then. `present`: the other nodes that are connected.
  std::vector<MemberChange> next(const Raft& raft, std::span<const NodeId> wanted,
                                 std::span<const MemberDirectory> present);

 private:
  Term term_ = 0;
  Index commit_ = 0;  // as of the last call
  // Of the leader: at the last call, and at the last one that was another tick's.
  std::int64_t tick_ = 0;
  std::int64_t looked_ = 0;
};

}  // namespace chronik::raft
