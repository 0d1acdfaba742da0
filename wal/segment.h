// Segment: what a partition log keeps in memory about one of its segment files. Shard only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/types.h"
#include "protocol/record_batch.h"
#include "wal/open_files.h"
#include "wal/segment_index.h"

namespace chronik::wal {

inline constexpr Timestamp no_timestamp = -1;

/// Where an entry of Raft's own lies; the read path leaves it out.
struct SkipRange {
  std::uint32_t position = 0;
  std::uint32_t size = 0;

  bool operator==(const SkipRange&) const = default;
};

/// The facts about a segment that a checkpoint saves.
struct SegmentFacts {
  Offset base_offset = 0;
  EntryIndex base_index = 1;
  std::uint64_t size_bytes = 0;
  /// Chain checksum over all its entries (wal/format.md, "Chain").
  std::uint32_t chain = 0;
  /// Entries of its index file.
  std::uint32_t index_entries = 0;
  /// Of its first batch that has a time; no_timestamp until then. segment.ms counts from it.
  Timestamp first_timestamp = no_timestamp;
  Timestamp max_timestamp = no_timestamp;
  /// Base offset of the first batch that carries max_timestamp.
  Offset max_timestamp_batch = 0;
  std::vector<SkipRange> skips;

  bool operator==(const SegmentFacts&) const = default;
};

struct Segment {
  SegmentFacts facts;                  // size_bytes includes what is not yet written
  std::uint64_t written_bytes = 0;     // in the file, and synced in sync_before_ack mode
  std::uint64_t indexed_until = 0;     // position behind the last batch that got an index entry
  std::vector<IndexEntry> index_tail;  // entries that the index file does not have yet
  FileSlot log_file;
  FileSlot index_file;

  /// The entry that starts at the segment's end is added: facts and index tail move on.
  void add(const protocol::BatchHeader& header, EntryIndex index, std::uint32_t index_interval);
};

}  // namespace chronik::wal
