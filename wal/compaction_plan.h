// What compaction decides before it reads anything: how much of a log is dirty, whether that is
// worth a run, and which segments become one. The rules are Kafka's (LogCleanerManager, Cleaner).
// Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/types.h"
#include "wal/log_settings.h"

namespace chronik::wal {

/// A segment as the decision sees it.
struct CompactionSegment {
  Offset base_offset = 0;
  Offset end_offset = 0;  // where the next one begins
  std::uint64_t size_bytes = 0;
  std::uint32_t index_entries = 0;
  Timestamp first_timestamp = -1;
  Timestamp max_timestamp = -1;
  /// Takes no more entries, and is durable and committed.
  bool settled = false;
};

/// What a run over a log would do.
struct Cleanable {
  Offset first_dirty = 0;
  Offset below = 0;               // nothing from here on may be touched
  std::uint64_t clean_bytes = 0;  // of segments without anything dirty
  std::uint64_t dirty_bytes = 0;  // of segments that would be cleaned for the first time
  /// Something has been dirty for longer than max.compaction.lag.ms.
  bool overdue = false;

  /// Kafka's cleanable ratio.
  double dirty_ratio() const {
    const std::uint64_t all = clean_bytes + dirty_bytes;
    return all == 0 ? 0.0 : static_cast<double>(dirty_bytes) / static_cast<double>(all);
  }
};

/// `segments` in order, all of the log; `first_dirty` at or behind its start.
Cleanable find_cleanable(std::span<const CompactionSegment> segments, Offset first_dirty,
                         const LogSettings& settings, Timestamp now);

/// Whether the log wants a run now.
bool wants_compaction(const Cleanable& cleanable, const LogSettings& settings);

/// Neighbours that together become one segment.
struct SegmentGroup {
  std::size_t begin = 0;
  std::size_t end = 0;

  bool operator==(const SegmentGroup&) const = default;
};

/// All segments that begin below `below`, each in one group, grouped as far as segment.bytes and
/// segment.index.bytes allow by what they are now.
std::vector<SegmentGroup> group_segments(std::span<const CompactionSegment> segments, Offset below,
                                         const LogSettings& settings);

}  // namespace chronik::wal
