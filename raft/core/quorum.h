// What a majority says, of one half or of both halves of a joint membership (thesis 4.3). Pure
// functions; voters only, learners are never asked.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>

#include "raft/core/membership.h"

namespace chronik::raft {

enum class VoteResult : std::uint8_t { pending, won, lost };
enum class Ballot : std::uint8_t { missing, granted, refused };

namespace detail {

template <class ValueOf>
std::int64_t majority_value(const std::vector<NodeId>& voters, ValueOf& value_of) {
  CHECK(!voters.empty() && voters.size() <= members_max);
  std::array<std::int64_t, members_max> values;
  std::size_t count = 0;
  for (NodeId node : voters) values[count++] = value_of(node);
  const auto majority = values.begin() + static_cast<std::ptrdiff_t>(count / 2);
  std::nth_element(values.begin(), majority, values.begin() + static_cast<std::ptrdiff_t>(count),
                   std::greater<>());
  return *majority;
}

template <class BallotOf>
VoteResult majority_vote(const std::vector<NodeId>& voters, BallotOf& ballot_of) {
  CHECK(!voters.empty());
  std::size_t granted = 0;
  std::size_t missing = 0;
  for (NodeId node : voters) {
    const Ballot ballot = ballot_of(node);
    if (ballot == Ballot::granted) ++granted;
    if (ballot == Ballot::missing) ++missing;
  }
  const std::size_t majority = voters.size() / 2 + 1;
  if (granted >= majority) return VoteResult::won;
  return granted + missing >= majority ? VoteResult::pending : VoteResult::lost;
}

}  // namespace detail

/// The largest value that a majority of the voters (of each half) has reached. `value_of(NodeId)`
/// gives what one voter has: an index it holds durably, a round it answered, a tick it was heard.
template <class ValueOf>
std::int64_t quorum_value(const Membership& membership, ValueOf value_of) {
  const std::int64_t value = detail::majority_value(membership.voters, value_of);
  if (!membership.is_joint()) return value;
  return std::min(value, detail::majority_value(membership.outgoing, value_of));
}

/// Won when a majority (of each half) granted; lost as soon as that cannot happen any more.
template <class BallotOf>
VoteResult quorum_vote(const Membership& membership, BallotOf ballot_of) {
  const VoteResult first = detail::majority_vote(membership.voters, ballot_of);
  if (!membership.is_joint() || first == VoteResult::lost) return first;
  const VoteResult second = detail::majority_vote(membership.outgoing, ballot_of);
  return first == VoteResult::won ? second
                                  : (second == VoteResult::lost ? second : VoteResult::pending);
}

}  // namespace chronik::raft
