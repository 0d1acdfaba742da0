// The sparse index of a segment: every index.interval.bytes one entry that maps (offset, Raft
// index, time) to the position of a batch. Read with pread, never mapped; each entry carries its
// own checksum, and an index that is missing or damaged is rebuilt from the segment. Layout:
// wal/format.md, "Index".
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/result.h"
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

/// What a search finds before the first entry.
inline constexpr IndexEntry segment_beginning{0, 0, 0, 0, -1};

/// Whose index a file is.
struct IndexOwner {
  Uuid topic_id;
  PartitionId partition = 0;
  Offset base_offset = 0;
  EntryIndex base_index = 1;

  bool operator==(const IndexOwner&) const = default;
};

inline constexpr std::uint64_t index_header_bytes = 64;
inline constexpr std::uint64_t index_entry_bytes = 32;

Bytes encode_index_header(const IndexOwner& owner);
Result<IndexOwner> decode_index_header(ByteView bytes);
void encode_index_entry(const IndexEntry& entry, MutableByteView out);
/// Nothing when the entry does not match its checksum.
std::optional<IndexEntry> decode_index_entry(ByteView bytes);

/// The last of the first `count` entries of an index file for which `before` is true, given that it
/// is true for some first ones and false for the rest. Errors: corrupt (a damaged entry was met, or
/// the file is too short), io.
using IndexPredicate = std::function<bool(const IndexEntry&)>;
struct FoundIndexEntry {
  std::uint32_t number = 0;
  IndexEntry entry;
};
Result<std::optional<FoundIndexEntry>> find_last_entry(const File& file, std::uint32_t count,
                                                       const IndexPredicate& before);
/// All of the first `count` entries, checked one by one and against each other.
Result<std::vector<IndexEntry>> read_index(const File& file, std::uint32_t count,
                                           const IndexOwner& owner);

}  // namespace chronik::wal
