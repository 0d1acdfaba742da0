// Newcomers: what the leader of a group does, one change at a time, with nodes that are connected
// and are not members, or not with the data directory they have now:
//
//   a node that is no member          becomes a learner
//   a member with another directory   is replaced by a learner: its disk was lost, and with it what
//                                     it promised; so its vote goes first
//   a learner that was a voter then   gets its vote back as soon as it holds the log
//
// All of that is safe by itself: a learner counts for nothing, and whoever got a vote back had the
// committed log before. Nobody else gets a vote from here. Pure; owned by who drives the leader.
#pragma once

#include <optional>
#include <span>

#include "raft/core/raft.h"

namespace chronik::raft {

/// Whether this follower holds what the leader had committed at `commit`, gets the rest as it
/// comes, and would vote. A learner is withheld until it has been told what was committed: given a
/// vote before, it could keep the others from ever electing, since only a leader can tell it.
bool has_caught_up(const Progress& follower, Index commit);

/// Whether those of `voters` who are there, with the directories they vote by, are a majority of
/// them. `present`: the other nodes that are connected, each with the directory it told.
bool could_decide(const Raft& raft, std::span<const NodeId> voters,
                  std::span<const MemberDirectory> present);

class Newcomers {
 public:
  /// What to change now; nothing: nothing, or one is under way. Called now and then. `wanted`: who
  /// may come; nothing: anybody.
  std::optional<MemberChange> next(const Raft& raft, std::span<const MemberDirectory> present,
                                   std::optional<std::span<const NodeId>> wanted = std::nullopt);

 private:
  Term term_ = 0;
  Index commit_ = 0;  // as of the last call
};

}  // namespace chronik::raft
