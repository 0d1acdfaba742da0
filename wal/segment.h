// Segment: what a partition log keeps in memory about one of its segment files. Shard only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/types.h"
#include "protocol/record_batch.h"
#include "wal/format.h"
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
  /// Base offset of the first batch that carries max_timestamp; -1: none of those that are left.
  Offset max_timestamp_batch = 0;
  std::vector<SkipRange> skips;
  /// Above 0: written by compaction (wal/format.md, "Compaction").
  std::uint32_t generation = 0;

  SegmentName name() const { return {base_offset, generation}; }
  bool compacted() const { return generation != 0; }
  bool operator==(const SegmentFacts&) const = default;
};

struct Segment {
  explicit Segment(SegmentFacts known) : facts(std::move(known)) {}

  SegmentFacts facts;               // size_bytes includes what is not yet written
  std::uint64_t written_bytes = 0;  // in the file
  bool file_made = false;
  /// Takes no more entries although nothing follows it yet.
  bool sealed = false;
  /// Entries that the index file has; the rest of facts.index_entries are index_tail.
  std::uint32_t index_file_entries = 0;
  std::vector<IndexEntry> index_tail;
  std::uint64_t last_indexed_position = 0;
  bool index_checked = false;  // the header of the index file is this segment's
  FileSlot log_file;
  FileSlot index_file;

  /// The entry that begins at the segment's end is added: facts and index tail move on. `prefix` is
  /// its first chain_prefix_bytes.
  void add(const protocol::BatchHeader& header, ByteView prefix, EntryIndex index,
           std::uint32_t index_interval);
};

/// One whose files are written whole and take no more.
std::unique_ptr<Segment> written_segment(SegmentFacts facts);

/// What compaction leaves of a batch without records: its times are those of nothing.
inline bool is_empty_batch(const protocol::BatchHeader& header) {
  return header.last_offset_delta >= 0 && header.record_count == 0;
}

/// An entry that takes no Kafka offset.
inline bool takes_no_offset(const protocol::BatchHeader& header) {
  return header.last_offset_delta < 0;
}

}  // namespace chronik::wal
