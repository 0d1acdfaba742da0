// The sparse index of a segment: every index.interval.bytes one entry that maps (offset, Raft
// index, time) to the position of a batch. Read with pread, never mapped; each entry carries its
// own checksum, and an index that is missing or damaged is rebuilt from the segment. Layout:
// wal/format.md, "Index".
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/types.h"
#include "base/uuid.h"

namespace chronik::wal {

/// What is true of a segment just before the batch at `position`.
struct IndexEntry {
  std::uint32_t offset_delta = 0;  // base offset of that batch, less the segment's
  std::uint32_t index_delta = 0;   // its Raft index, less the segment's
  std::uint32_t position = 0;
  std::uint32_t chain = 0;             // chain checksum of all entries before it
  Timestamp max_timestamp_before = 0;  // of all entries before it; no_timestamp when none has one

  bool operator==(const IndexEntry&) const = default;
};

}  // namespace chronik::wal
