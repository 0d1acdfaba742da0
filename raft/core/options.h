// What a Raft is told when it begins: how it shall behave, and what the node had when it stopped.
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
  /// Whether entries for this member are to be asked for by Ready::log_reads, wherever they are: so
  /// the driver decides when they go. Only what is durable is asked for. Not set: nobody.
  std::function<bool(NodeId)> is_held_back;
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
/// left, and starts with (raft.h, "Withheld"). The other way round, a crash between the two would
/// leave a replica that looks whole.
HardState withhold(const HardState& before);

}  // namespace chronik::raft
