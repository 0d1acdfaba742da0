// Membership: who votes in a group and who only learns, also in the middle of a joint change
// (thesis 4.3). A value; lists are sorted and without doubles.
//
// An entry of the log carries the whole membership it leads to, not a difference: so a truncated
// change is undone by looking at the entry before it, and no replica can compute another outcome.
//
// A member is a node with the data directory that its promises lie in. A node that comes with
// another directory is not that member: its votes and acknowledgements are counted for nothing
// (raft/multi/replica.h), until the leader has replaced the one directory by the other, which
// takes its vote (MemberChange::replace), and has given the vote back once it holds the log.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/types.h"
#include "base/uuid.h"

namespace chronik::raft {

using NodeId = BrokerId;
/// Not 0: that is a broker's id.
inline constexpr NodeId no_node = -1;
/// Voters of one half, and learners. Kafka users have 3 or 5 replicas; quorums are counted on the
/// stack.
inline constexpr std::size_t members_max = 32;
/// Directories of all members together: so much is kept beside each vote on disk.
inline constexpr std::size_t directories_max = 40;

struct MemberDirectory {
  NodeId node = no_node;
  Uuid directory;
  bool operator==(const MemberDirectory&) const = default;
};

struct Membership {
  std::vector<NodeId> voters;    // of the new half, when joint
  std::vector<NodeId> outgoing;  // voters of the old half; empty: not joint
  std::vector<NodeId> learners;  // get the log, are asked and counted for nothing
  /// Voters of the old half that become learners when the joint change ends.
  std::vector<NodeId> demoted;
  /// The leader ends the joint change by itself as soon as it is committed.
  bool auto_leave = false;
  /// Of members whose directory is known, by node.
  std::vector<MemberDirectory> directories{};
  /// Learners that were voters with a directory that is lost.
  std::vector<NodeId> returning{};

  bool operator==(const Membership&) const = default;

  bool is_joint() const { return !outgoing.empty(); }
  /// Counts in a quorum, in either half.
  bool is_voter(NodeId node) const;
  bool contains(NodeId node) const;
  /// Zero: not known.
  Uuid directory_of(NodeId node) const;
  /// Whether `node` with this directory is the member of that number; with any one where that
  /// member's is not known.
  bool is_member(NodeId node, const Uuid& directory) const;
  /// Everybody who gets the log.
  std::vector<NodeId> members() const;
};

struct MemberChange {
  enum class Kind : std::uint8_t {
    add_voter,    // a new node, or a learner that is promoted
    add_learner,  // a new node, or a voter that is demoted
    remove,
    replace,  // a member by the same node with another directory: a learner, alone in its change
  };
  Kind kind = Kind::add_voter;
  NodeId node = no_node;
  Uuid directory{};  // of add_voter, add_learner, replace; zero: not known
};

enum class Transition : std::uint8_t {
  automatic,  // simple where at most one voter comes or goes, else joint, left by the leader itself
  simple,     // refused when more than one voter comes or goes
  joint_auto_leave,
  joint_explicit_leave,  // until propose_leave_joint()
};

/// What `changes` make of `from`. Errors: invalid_argument (a joint change is under way, a node is
/// named twice, nothing changes, nobody would vote, too many for a simple change, a directory that
/// is not the member's), too_large.
Result<Membership> changed(const Membership& from, std::span<const MemberChange> changes,
                           Transition transition);

/// The second half of a joint change alone; `joint` must be one.
Membership after_joint(const Membership& joint);

SharedBytes encode_membership(const Membership& membership);
/// Errors: corrupt. Checks order, doubles and limits, so that what comes from outside can be
/// counted.
Result<Membership> decode_membership(const SharedBytes& bytes);

/// "voters 1 2 3", "voters 1 2 3 & 1 2 4, learners 5, leaves by itself".
std::string to_string(const Membership& membership);

}  // namespace chronik::raft
