#include "broker/api/survivor.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <tuple>
#include <utility>
#include <vector>

#include "raft/core/membership.h"
#include "raft/core/quorum.h"

namespace chronik::broker {

namespace {

using protocol::ErrorCode;

// Clients take a leader of an older epoch for news of yesterday, and those who were not heard may
// have been in later terms than all that were.
constexpr LeaderEpoch term_margin = 1'000;
constexpr LeaderEpoch term_max = 2'000'000'000;

Survivor refused(ErrorCode error, std::string message) {
  Survivor survivor;
  survivor.error = error;
  survivor.message = std::move(message);
  return survivor;
}

/// Whether those that were heard are enough to elect a leader, as the one with the longest log sees
/// who belongs to the group.
bool can_elect(const HeardReplica& longest, std::span<const HeardReplica> heard) {
  const auto membership =
      raft::decode_membership(SharedBytes::copy_of(ByteView(longest.holds.membership)));
  if (!membership) return false;
  const auto grants = [&](raft::NodeId node) {
    const bool votes = std::ranges::any_of(heard, [&](const HeardReplica& replica) {
      return replica.broker == node && !replica.holds.withheld &&
             replica.holds.recovery == longest.holds.recovery &&
             membership->is_member(node, replica.directory);
    });
    return votes ? raft::Ballot::granted : raft::Ballot::refused;
  };
  return raft::quorum_vote(*membership, grants) == raft::VoteResult::won;
}

auto length(const HeardReplica& replica) {
  return std::tuple(replica.holds.last_term, replica.holds.last_index, !replica.holds.withheld);
}

std::string what_may_be_lost(const HeardReplica& survivor, std::span<const HeardReplica> heard,
                             const std::vector<BrokerId>& unheard) {
  std::vector<std::string> logs;
  for (const HeardReplica& replica : heard) {
    logs.push_back(fmt::format("broker {}: term {}, offset {}{}", replica.broker,
                               replica.holds.last_term, replica.holds.end_offset,
                               replica.holds.withheld ? ", had lost its log" : ""));
  }
  return fmt::format(
      "broker {} goes on alone: records from offset {} on that only others had may be lost, "
      "acknowledged ones too. Logs end at: {}. Replicas not heard: {}.",
      survivor.broker, survivor.holds.end_offset, fmt::join(logs, "; "),
      unheard.empty() ? "none" : fmt::format("{}", fmt::join(unheard, ", ")));
}

/// Of those that belong to the partition's history as it is now; null: none.
const HeardReplica* longest_of(std::span<const HeardReplica> heard, std::int32_t recovery) {
  const HeardReplica* longest = nullptr;
  for (const HeardReplica& replica : heard) {
    if (replica.holds.recovery != recovery) continue;
    if (longest == nullptr || length(replica) > length(*longest)) longest = &replica;
  }
  return longest;
}

}  // namespace

Survivor choose_survivor(const metadata::Topic& topic, PartitionId partition,
                         std::span<const HeardReplica> heard,
                         const std::function<bool(BrokerId)>& is_gone) {
  const metadata::Partition& members = topic.partitions[static_cast<std::size_t>(partition)];
  std::vector<BrokerId> unheard;
  for (const BrokerId replica : members.replicas) {
    if (std::ranges::find(heard, replica, &HeardReplica::broker) != heard.end()) continue;
    if (!is_gone(replica)) {
      return refused(ErrorCode::eligible_leaders_not_available,
                     fmt::format("Broker {} has a replica, is not given up, and does not say what "
                                 "it holds; try again, or stop it.",
                                 replica));
    }
    unheard.push_back(replica);
  }
  LeaderEpoch term = members.recovery.term;
  for (const HeardReplica& replica : heard) {
    if (replica.holds.leads) return refused(ErrorCode::election_not_needed, "It has a leader.");
    term = std::max({term, replica.holds.term, replica.holds.last_term});
  }
  const HeardReplica* longest = longest_of(heard, members.recovery.number);
  if (longest == nullptr) {
    return refused(ErrorCode::eligible_leaders_not_available,
                   fmt::format("None of the replicas (brokers {}) is there: start one of them.",
                               fmt::join(members.replicas, ", ")));
  }
  if (can_elect(*longest, heard)) {
    Survivor survivor = refused(ErrorCode::election_not_needed,
                                "A majority of the replicas is there, and elects a leader.");
    survivor.elects_itself = true;
    return survivor;
  }
  if (term > term_max) {
    return refused(ErrorCode::eligible_leaders_not_available, "There are no leader epochs left.");
  }
  Survivor survivor;
  survivor.message = what_may_be_lost(*longest, heard, unheard);
  survivor.event = {topic.id,           topic.name,
                    partition,          members.recovery.number + 1,
                    longest->broker,    longest->directory,
                    term + term_margin, longest->holds.end_offset,
                    std::move(unheard), 0};
  return survivor;
}

}  // namespace chronik::broker
