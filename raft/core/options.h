// What a Raft is told when it begins: how it shall behave, and what the node had when it stopped.
//
// Withheld (withhold() below): a replica that lost entries it may have acknowledged could
// help to elect a leader without them. It enters a new term, so that acknowledgements of its former
// self, which may still be on their way, count no more, and neither votes nor campaigns until it
// holds a committed entry of that term or a later one: a leader of such a term had every entry that
// was committed before. What it acknowledges meanwhile is true, and counts. The hard state must be
// intact; a node that lost it as well is another member (membership.h, "directory"). Of two voters
// none can lead without the other's vote: there, only an administrator's unclean recovery helps.
//
// A replica that left its group comes back the same way (raft/multi/left_states.h).
//
// A replica that joins (until_told) may have been a member before, whose log was deleted when it
// left. While it gets the log again, the part it has may say that it is a voter of old, and it must
// not help others of old to lead without what it had acknowledged. So it is withheld until it holds
// a committed entry of the term in which a leader first spoke to it, and what that leader had
// committed then: the change that took it out was.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "raft/core/types.h"

namespace chronik::raft {

struct Options {
  NodeId id = no_node;
  Uuid directory{};         // what the membership must know this node by, if it knows any
  int election_ticks = 10;  // a follower campaigns after [n, 2n) ticks without a leader
  int heartbeat_ticks = 1;
  bool lease_reads = false;  // raft.h, "Leases"
  int lease_margin_ticks = 1;
  /// propose() on a follower sends to the leader, where it may be lost, or appended twice.
  bool forward_proposals = false;
  /// Off: Ready tells only up to where to apply (a partition's state is its log).
  bool deliver_committed = true;
  std::uint64_t append_bytes_max = 1 << 20;  // of one Append
  std::size_t inflight_messages_max = 256;   // of a follower
  std::uint64_t inflight_bytes_max = 16 << 20;
  std::uint64_t uncommitted_bytes_max = 64 << 20;  // of the leader's term; then propose() refuses
  std::uint64_t apply_bytes_max = 16 << 20;        // handed out and not applied yet
  std::function<std::uint64_t()> random;           // 64 random bits
  /// Followers learn what is committed from heartbeats, and from Appends that have entries: a tick
  /// later, for half of the messages. And who answers Appends within a tick needs no heartbeat.
  bool commit_with_heartbeats = false;
  /// Whether entries for this member are to be asked for by Ready::log_reads, wherever they are: so
  /// the driver decides when they go. Only what is durable is asked for. Not set: nobody.
  std::function<bool(NodeId)> is_held_back;
  int rest_after_ticks = 0;  // so long nothing happens before a group rests (rest.h); 0: never
  /// Whether that node is known not to be connected: nobody rests under it, and others without it.
  std::function<bool(NodeId)> is_away;
};

/// What the node had when it stopped (all zero: a new one).
struct Recovered {
  HardState hard_state;
  Index commit = 0;   // a Ready's commit_durable; 0 will do
  Index applied = 0;  // the state machine has this; at least first_index() - 1
  /// In force at the log's begin, then that of every membership entry of the log. With an empty
  /// one the node waits until a leader speaks to it.
  std::vector<MembershipAt> memberships;
};

/// What a node that lost entries of its log has to make durable BEFORE it cuts the log to what is
/// left, and starts with ("Withheld" above). The other way round, a crash between the two would
/// leave a replica that looks whole.
HardState withhold(const HardState& before);

}  // namespace chronik::raft
