#include "raft/multi/newcomers.h"

#include <algorithm>
#include <utility>

namespace chronik::raft {

bool has_caught_up(const Progress& follower, Index commit) {
  return !follower.withheld && follower.state == ProgressState::replicate &&
         follower.match >= commit;
}

bool could_decide(const Raft& raft, std::span<const NodeId> voters,
                  std::span<const MemberDirectory> present) {
  const auto there = std::ranges::count_if(voters, [&](NodeId voter) {
    if (voter == raft.id()) return true;
    return std::ranges::any_of(present, [&](const MemberDirectory& node) {
      return node.node == voter && raft.membership().is_member(node.node, node.directory);
    });
  });
  return static_cast<std::size_t>(there) > voters.size() / 2;
}

std::optional<MemberChange> Newcomers::next(const Raft& raft,
                                            std::span<const MemberDirectory> present,
                                            std::optional<std::span<const NodeId>> wanted) {
  using Kind = MemberChange::Kind;
  const Log& log = raft.log();
  const Index commit_before = std::exchange(commit_, log.commit());
  const bool same_term = std::exchange(term_, raft.term()) == raft.term();
  const Membership& members = raft.membership();
  const bool settled = raft.role() == Role::leader && log.term(log.commit()) == raft.term() &&
                       log.membership().index <= log.commit() && !members.is_joint();
  if (!settled || raft.transfer_target() != no_node) return std::nullopt;
  for (const auto& [node, directory] : present) {
    if (wanted && std::ranges::find(*wanted, node) == wanted->end()) continue;
    if (!members.contains(node)) return MemberChange{Kind::add_learner, node, directory};
    if (!members.is_member(node, directory)) {
      // Without a majority of the others the change could not be committed.
      std::vector<NodeId> others = members.voters;
      std::erase(others, node);
      if (!could_decide(raft, others, present)) continue;
      return MemberChange{Kind::replace, node, directory};
    }
    if (!same_term || !std::ranges::binary_search(members.returning, node)) continue;
    const auto follower = std::ranges::find(raft.progress(), node, &Progress::id);
    if (follower != raft.progress().end() && has_caught_up(*follower, commit_before)) {
      return MemberChange{Kind::add_voter, node, directory};
    }
  }
  return std::nullopt;
}

}  // namespace chronik::raft
