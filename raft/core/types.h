// The words of Raft: terms, indexes, entries, what a node must remember. Values without behaviour;
// they belong to whoever holds them and may be read on any thread.
#pragma once

#include <cstdint>
#include <limits>

#include "base/bytes.h"
#include "base/types.h"
#include "raft/core/membership.h"

namespace chronik::raft {

/// Kafka's leader epoch is the Raft term of a partition, so both are one number. 0: before any.
using Term = LeaderEpoch;
/// The n-th entry of a log, from 1. 0: the place before the first.
using Index = EntryIndex;
/// Numbers the rounds of heartbeats of one leader in one term, from 1.
using Round = std::int64_t;
/// Names a read on the node that asked; never used twice, also not by a later life of that node.
using ReadId = std::uint64_t;

enum class EntryKind : std::uint8_t {
  data,        // what was proposed
  no_op,       // the first entry of a leader's term
  membership,  // encode_membership() of who belongs to the group from here on
};

struct Entry {
  Term term = 0;
  Index index = 0;
  EntryKind kind = EntryKind::data;
  SharedBytes payload;

  /// What limits count: payload only, so that entries of Raft itself are never refused for size.
  std::uint64_t bytes() const { return payload.size(); }
};

struct Position {
  Term term = 0;
  Index index = 0;
  bool operator==(const Position&) const = default;
};

/// What must be durable before any promise made from it leaves the node.
/// HardState::withheld_until of a replica that joins a group, until a leader has told it more.
inline constexpr Term until_told = std::numeric_limits<Term>::max();

struct HardState {
  Term term = 0;
  NodeId vote = no_node;  // for whom in `term`
  /// 0: a full voter. Else the replica lost entries it had acknowledged: it neither votes nor
  /// campaigns until it holds a committed entry of this term or a later one (Raft, "Withheld").
  Term withheld_until = 0;
  bool operator==(const HardState&) const = default;
};

/// A state that replaces the log up to and including `index`; `membership` is who belonged then.
struct SnapshotMeta {
  Index index = 0;
  Term term = 0;
  Membership membership;
  bool operator==(const SnapshotMeta&) const = default;
};

struct MembershipAt {
  Index index = 0;  // of the entry (or snapshot) that brought it; 0: it was there from the start
  Membership membership;
  bool operator==(const MembershipAt&) const = default;
};

enum class Role : std::uint8_t { follower, pre_candidate, candidate, leader };

}  // namespace chronik::raft
