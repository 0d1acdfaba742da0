#include "broker/partition/replica_seat.h"

#include <algorithm>

#include "raft/core/quorum.h"

namespace chronik::broker {

raft::Recovery recovery_of(const metadata::Partition& partition, BrokerId node,
                           const Uuid& directory) {
  const metadata::Recovery& last = partition.recovery;
  const bool survives = last.survivor == node && last.directory == directory;
  return {last.number, last.term, survives, directory};
}

raft::Membership founders_of(const metadata::Partition& partition, BrokerId node,
                             const Uuid& directory) {
  raft::Membership founders;
  // Nobody founds it again: it has a log, the survivor's.
  if (partition.recovery.number > 0) return founders;
  bool own = false;
  for (std::size_t i = 0; i < partition.replicas.size(); ++i) {
    if (i >= partition.directories.size() || partition.directories[i].is_zero()) continue;
    const BrokerId replica = partition.replicas[i];
    founders.voters.push_back(replica);
    founders.directories.push_back({replica, partition.directories[i]});
    own = own || (replica == node && partition.directories[i] == directory);
  }
  std::ranges::sort(founders.voters);
  std::ranges::sort(founders.directories, {}, &raft::MemberDirectory::node);
  return own ? founders : raft::Membership();
}

void InSyncTracker::look(const raft::Raft& raft, SteadyTime now) {
  const raft::Index end = raft.log().last().index;
  there_.clear();
  for (const raft::Progress& follower : raft.progress()) {
    if (follower.match >= (looked_at_ ? end_before_ : end)) there_.push_back(follower.id);
    if (!looked_at_ || follower.match >= end_before_) caught_up_[follower.id] = now;
  }
  looked_at_ = now;
  end_before_ = end;
}

std::vector<BrokerId> InSyncTracker::in_sync(const raft::Raft& raft,
                                             const std::vector<raft::MemberDirectory>& present,
                                             milliseconds lag_max) const {
  std::vector<BrokerId> in_sync{raft.id()};
  for (const raft::Progress& follower : raft.progress()) {
    const bool there = std::ranges::any_of(present, [&](const raft::MemberDirectory& node) {
      return node.node == follower.id && raft.membership().is_member(node.node, node.directory);
    });
    if (!there || !raft.membership().is_voter(follower.id)) continue;
    if (was_there(follower.id, lag_max)) in_sync.push_back(follower.id);
  }
  std::ranges::sort(in_sync);
  return in_sync;
}

void InSyncTracker::sort_out(const raft::Raft& raft, const std::vector<BrokerId>& in_sync,
                             raft::CatchUpTerms& terms) const {
  const raft::Membership& members = raft.membership();
  const auto keeps_up = [&](raft::NodeId node) {
    return std::ranges::binary_search(in_sync, node);
  };
  const bool enough = raft::quorum_vote(members, [&](raft::NodeId node) {
                        return keeps_up(node) ? raft::Ballot::granted : raft::Ballot::refused;
                      }) == raft::VoteResult::won;
  terms.term = raft.term();
  terms.there = there_;
  for (const raft::Progress& follower : raft.progress()) {
    const bool votes = members.is_voter(follower.id);
    if (votes && enough && !keeps_up(follower.id)) terms.behind.push_back(follower.id);
  }
}

bool InSyncTracker::was_there(BrokerId follower, milliseconds limit) const {
  const auto caught_up = caught_up_.find(follower);
  return !looked_at_ || (caught_up != caught_up_.end() && *looked_at_ - caught_up->second <= limit);
}

}  // namespace chronik::broker
