// Ready: what Raft wants done, taken with Raft::ready(). Plain data; it belongs to the driver from
// then on and refers to nothing inside of Raft.
//
// The driver, for each Ready, in the order it took them:
// - sends `messages` and `heartbeats` at once, in parallel with its own writing;
// - when `number` is not 0, hands `install`, `entries` and `hard_state` to its disk. They become
//   durable in the order of the numbers (several may be on their way: pipelined group commit); of
//   one Ready either all is durable after a crash or, from some point on, none: the hard state
//   never later than what comes behind it, entries without a gap. Then it calls
//   on_persisted(number), which speaks for all numbers before it as well, and sends the
//   `messages_when_durable` of those Readys;
// - applies `committed` and calls on_applied(); answers `reads`; starts `log_reads` and `fetch`.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "raft/core/message.h"
#include "raft/core/types.h"

namespace chronik::raft {

/// A read that may be answered from the state machine as it is now (or later).
struct ReadReady {
  ReadId id = 0;
  Index index = 0;  // what the state machine has at least
};

/// Entries that storage did not have in memory. `reader`: the peer that needs them, or this node
/// itself for applying. Answered by Raft::on_entries_read().
struct LogRead {
  NodeId reader = no_node;
  Term term = 0;  // of the leader that asks; handed back
  Index begin = 0;
  Index end = 0;  // exclusive
  std::uint64_t bytes_max = 0;
};

/// The snapshot to fetch from `from`, out of band. Answered by on_snapshot_fetched() or
/// on_snapshot_failed(), once each.
struct SnapshotFetch {
  NodeId from = no_node;
  SnapshotMeta meta;
};

struct SoftState {
  Role role = Role::follower;
  NodeId leader = no_node;
  Term term = 0;
  bool operator==(const SoftState&) const = default;
};

struct Ready {
  std::uint64_t number = 0;  // 0: nothing here waits for the disk

  /// To be persisted, in this order.
  std::optional<HardState> hard_state;
  std::optional<SnapshotMeta> install;  // the fetched snapshot takes the place of the whole log
  std::vector<Entry> entries;           // what storage has at or behind the first one goes first

  Index commit = 0;
  /// Of that, what is durable here. This one may be kept, lazily and at any time, to spare work
  /// after a start (Recovered::commit). `commit` may not: a crash could keep it and lose the
  /// entries it speaks of, with others in their places.
  Index commit_durable = 0;

  std::vector<Message> messages;
  /// Heartbeats and their answers. Apart, because a shard that ticks its groups in one pass packs
  /// those of all groups to one node into one message.
  std::vector<Message> heartbeats;
  std::vector<Message> messages_when_durable;

  /// The next entries to apply, all durable here (empty with Options::deliver_committed off), and
  /// the index up to which to apply.
  std::vector<Entry> committed;
  Index committed_to = 0;

  std::vector<ReadReady> reads;
  std::vector<ReadId> reads_lost;  // leadership changed in between: ask again
  std::vector<LogRead> log_reads;
  std::optional<SnapshotFetch> fetch;
  std::optional<SoftState> soft_state;  // when it changed
};

}  // namespace chronik::raft
