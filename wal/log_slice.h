// What reads and lookups of a partition log answer.
#pragma once

#include <limits>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/types.h"

namespace chronik::wal {

/// Whole batches as they lie in the log.
struct LogSlice {
  ByteChain bytes;  // ranges of the segment file, or memory for what is not yet written
  /// Base offset of the first batch, or of a gap before it that compaction has left; the offset
  /// asked for when empty.
  Offset first = 0;
  Offset next = 0;  // where the next read goes on
};

/// Whole entries, Raft's own included.
struct EntrySlice {
  ByteChain bytes;
  EntryIndex next = 0;
};

/// An entry of Raft's own, as it lies in the log.
struct OwnEntry {
  EntryIndex index = 0;
  SharedBytes bytes;
};

struct TimestampOffset {
  Timestamp timestamp = 0;
  Offset offset = 0;
  LeaderEpoch leader_epoch = no_leader_epoch;

  bool operator==(const TimestampOffset&) const = default;
};

struct SegmentInfo {
  Offset base_offset = 0;
  std::uint64_t size_bytes = 0;
  Timestamp max_timestamp = 0;  // -1: no record with a time
  bool active = false;
};

inline constexpr Offset every_offset = std::numeric_limits<Offset>::max();
inline constexpr EntryIndex every_entry = std::numeric_limits<EntryIndex>::max();

/// Copies a chain into memory, reading its file ranges. Errors: io; corrupt when a file is shorter.
Result<SharedBytes> gather(const ByteChain& chain);

}  // namespace chronik::wal
