// What is inside of CompactionJob: filled on the shard, run on another thread, read on the shard
// again. Internal to the log.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "protocol/record_scanner.h"
#include "wal/batch_filter.h"
#include "wal/batch_stream.h"
#include "wal/compaction_job.h"
#include "wal/compaction_plan.h"
#include "wal/flush_work.h"
#include "wal/log_settings.h"
#include "wal/offset_map.h"
#include "wal/segment.h"

namespace chronik::wal {

/// One segment that a run has made.
struct CompactedSegment {
  SegmentGroup sources;  // numbers in CompactionWork::sources
  SegmentFacts facts;
};

/// Writes one new segment: the batches that stay, their index.
class CompactedSegmentWriter {
 public:
  /// `ending` comes behind the names of the files.
  CompactedSegmentWriter(const LogPlace& place, SegmentFacts facts, std::uint32_t index_interval,
                         const CompactionLimits& limits, std::string_view ending = {})
      : place_(place),
        segment_(std::move(facts)),
        index_interval_(index_interval),
        limits_(limits),
        ending_(ending) {}

  /// Makes the files, empty whatever was there. Errors: those of the disk; none is fatal.
  Result<void> open();
  Result<void> append(ByteView batch, const protocol::BatchHeader& header);
  /// Writes what is left and the index, and syncs both files; their names are not synced yet.
  Result<void> finish();

  const SegmentFacts& facts() const { return segment_.facts; }
  std::uint64_t size() const { return segment_.facts.size_bytes; }

 private:
  Result<void> write_buffer();
  Result<void> write_index();

  const LogPlace& place_;
  Segment segment_;
  const std::uint32_t index_interval_;
  const CompactionLimits& limits_;
  const std::string ending_;
  std::shared_ptr<File> log_;
  std::shared_ptr<File> index_;
  Bytes buffer_;
  std::uint64_t written_ = 0;
  std::uint64_t written_back_ = 0;
  EntryIndex next_index_ = segment_.facts.base_index;
};

struct CompactionWork {
  // What to do.
  LogPlace place;
  SharedLogSettings settings;
  CompactionLimits limits;
  std::vector<ExpectedSegment> sources;  // from the log's first segment on
  std::vector<CompactionSegment> plan;   // the same, as the decision sees them
  /// Was cut by a process before this one, perhaps not durably: to be synced first.
  std::optional<SegmentName> sync_first;
  Offset first_dirty = 0;
  Offset below = 0;
  Timestamp now = 0;
  std::uint32_t generation = 0;
  std::vector<Offset> batches_to_keep;  // last offsets, ascending
  std::uint64_t hash_seed = 0;

  // What was done.
  enum class Phase { count, map, copy, done };
  Phase phase = Phase::count;
  std::optional<Error> error;
  bool fatal = false;
  std::atomic<bool> cancelled = false;
  std::vector<std::string> files;  // made so far
  std::vector<CompactedSegment> made;
  std::uint64_t read_bytes = 0;
  std::uint64_t written_bytes = 0;
  std::uint64_t records_read = 0;
  std::uint64_t records_kept = 0;
  Offset mapped_end = 0;
  std::size_t map_bytes = 0;

  bool step();

 private:
  Result<void> slice();
  Result<void> prepare();
  Result<void> map_slice();
  Result<void> begin_copy();
  Result<void> copy_slice();
  Result<void> copy_batch(const BatchStream::Batch& batch);
  Result<void> begin_group();
  Result<void> finish_group();
  Result<void> open_stream(std::size_t source);
  Result<void> write_outcome(Result<void> written);
  std::string path(SegmentName segment, std::string_view suffix) const;

  std::optional<OffsetMap> map_;
  std::vector<SegmentGroup> groups_;
  std::size_t group_ = 0;
  std::size_t source_ = 0;  // under the eye
  std::optional<BatchStream> stream_;
  std::unique_ptr<CompactedSegmentWriter> writer_;
  protocol::RecordScratch scratch_;
};

}  // namespace chronik::wal
