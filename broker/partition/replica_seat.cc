#include "broker/partition/replica_seat.h"

#include <algorithm>

namespace chronik::broker {

raft::Membership founders_of(const metadata::Partition& partition, BrokerId node,
                             const Uuid& directory) {
  raft::Membership founders;
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
  for (const raft::Progress& follower : raft.progress()) {
    if (!looked_at_ || follower.match >= end_before_) caught_up_[follower.id] = now;
  }
  looked_at_ = now;
  end_before_ = raft.log().last().index;
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

bool InSyncTracker::was_there(BrokerId follower, milliseconds limit) const {
  const auto caught_up = caught_up_.find(follower);
  return !looked_at_ || (caught_up != caught_up_.end() && *looked_at_ - caught_up->second <= limit);
}

}  // namespace chronik::broker
