#include "raft/multi/reassignment.h"

#include <algorithm>
#include <utility>

#include "raft/multi/newcomers.h"

namespace chronik::raft {

namespace {

/// A leader that knows what is committed, with a membership that is.
bool is_settled(const Raft& raft) {
  const Log& log = raft.log();
  return raft.role() == Role::leader && log.term(log.commit()) == raft.term() &&
         log.membership().index <= log.commit() && !raft.membership().is_joint();
}

// Answers come within a heartbeat, which is a tick; one may be late.
constexpr std::int64_t answer_ticks = 3;

bool contains(std::span<const NodeId> nodes, NodeId node) {
  return std::ranges::find(nodes, node) != nodes.end();
}

}  // namespace

bool votes_in(const Raft& raft, std::span<const NodeId> wanted) {
  const Membership& members = raft.membership();
  return is_settled(raft) && members.learners.empty() && members.voters.size() == wanted.size() &&
         std::ranges::all_of(wanted, [&](NodeId node) { return contains(members.voters, node); });
}

std::vector<MemberChange> Reassignment::next(const Raft& raft, std::span<const NodeId> wanted,
                                             std::span<const MemberDirectory> present) {
  using Kind = MemberChange::Kind;
  const Index commit_before = std::exchange(commit_, raft.log().commit());
  const bool same_term = std::exchange(term_, raft.term()) == raft.term();
  if (raft.ticks() != tick_) looked_ = std::exchange(tick_, raft.ticks());
  if (!same_term || !is_settled(raft) || raft.transfer_target() != no_node) return {};
  const Membership& members = raft.membership();
  const std::int64_t since = std::max(looked_, tick_ - answer_ticks);
  std::vector<NodeId> answering{raft.id()};
  for (const Progress& follower : raft.progress()) {
    if (follower.heard > since) answering.push_back(follower.id);
  }
  std::vector<MemberChange> changes;
  for (const NodeId node : wanted) {
    if (!members.contains(node)) return {};
    if (contains(members.voters, node)) continue;
    const auto follower = std::ranges::find(raft.progress(), node, &Progress::id);
    if (follower == raft.progress().end() || !has_caught_up(*follower, commit_before)) return {};
    if (!contains(answering, node)) return {};
    changes.push_back({Kind::add_voter, node, members.directory_of(node)});
  }
  for (const NodeId node : members.members()) {
    if (!contains(wanted, node)) changes.push_back({Kind::remove, node});
  }
  // Without a majority of those to come the change could not be committed.
  const std::vector<NodeId> voters(wanted.begin(), wanted.end());
  std::vector<MemberDirectory> there(present.begin(), present.end());
  std::erase_if(there, [&](const auto& node) { return !contains(answering, node.node); });
  if (!could_decide(raft, voters, there)) return {};
  return changes;
}

}  // namespace chronik::raft
