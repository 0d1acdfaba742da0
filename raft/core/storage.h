// Storage: what Raft sees of the log on disk. Read-only and synchronous; the driver (raft/multi)
// implements it over its log, the tests over a vector (memory_storage.h). Lives on the group's
// shard and outlives the Raft that reads it.
//
// Contract: it shows at least what on_persisted() has reported. What was handed out for persisting
// and not reported yet may be there or not; Raft does not ask for it.
#pragma once

#include <optional>
#include <vector>

#include "raft/core/types.h"

namespace chronik::raft {

class Storage {
 public:
  virtual ~Storage() = default;

  /// The first entry that is still there; snapshot().index + 1 at most. last_index() + 1: none.
  virtual Index first_index() const = 0;
  virtual Index last_index() const = 0;

  /// Of an entry in [first_index() - 1, last_index()]; always from memory (Kafka's cache of leader
  /// epochs has few ranges, a term each).
  virtual Term term(Index index) const = 0;

  /// Entries of [begin, end), in order, as many as fit in `bytes_max` but at least one. nullopt:
  /// they are not in memory; Raft then asks by Ready::log_reads and goes on when on_entries_read()
  /// comes.
  virtual std::optional<std::vector<Entry>> entries(Index begin, Index end,
                                                    std::uint64_t bytes_max) const = 0;

  /// The snapshot a follower is offered when the log does not reach back far enough. Its index is
  /// first_index() - 1 at least, whenever first_index() > 1.
  virtual SnapshotMeta snapshot() const = 0;
};

}  // namespace chronik::raft
