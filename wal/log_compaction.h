// LogCompaction: compaction of one partition log (cleanup.policy=compact), as its shard sees it:
//
//   LogCompaction compaction(log);
//   if (wants_compaction(compaction.cleanable(now), log.settings())) {
//     CompactionJob job = compaction.begin(limits, now, seed);
//     while (job.step()) {}             // on another thread, slice by slice
//     compaction.end(std::move(job));   // the new segments take the place of the old ones
//     group.mark_dirty(log);            // the next checkpoint makes it durable
//   }
//
// From end() on the log reads from the new segments. The old files go after the checkpoint that no
// longer names them; readers that hold them open read on. A crash before it leaves the log as it
// was. While a run is under way retention and DeleteRecords drop no segments; the next pass does.
// All calls on the log's shard.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "wal/compaction_job.h"
#include "wal/compaction_plan.h"
#include "wal/partition_log.h"

namespace chronik::wal {

/// What a run did.
struct CompactionReport {
  Offset first_dirty_offset = 0;  // where the next run begins
  std::uint64_t bytes_before = 0;
  std::uint64_t bytes_after = 0;
  std::uint64_t segments_before = 0;
  std::uint64_t segments_after = 0;
  std::uint64_t records_read = 0;
  std::uint64_t records_kept = 0;
  std::uint64_t map_bytes = 0;
};

class LogCompaction {
 public:
  /// `committed`: later entries may be taken back, and are left alone.
  explicit LogCompaction(PartitionLog& log,
                         EntryIndex committed = std::numeric_limits<EntryIndex>::max())
      : log_(log), committed_(committed) {}

  /// What a run would do now; nothing dirty when one is under way, or damage forbids it.
  Cleanable cleanable(Timestamp now);
  /// Why the log is left alone until the next start; empty when it is not.
  const std::string& refused() const { return log_.compaction_.refused; }

  /// Precondition: cleanable(now).dirty_bytes != 0. `seed` is for the hash of keys.
  CompactionJob begin(const CompactionLimits& limits, Timestamp now, std::uint64_t seed);
  /// Swaps the segments in and wants a checkpoint; or gives the run up. Errors: the job's (corrupt,
  /// unsupported and too_large: the log is left alone from now on; the others may pass); closed
  /// when a truncation met what was compacted.
  Result<CompactionReport> end(CompactionJob job);

 private:
  std::vector<CompactionSegment> plan() const;
  bool settled(std::size_t number) const;
  bool still_there(const CompactionWork& work, std::size_t count) const;
  void swap_in(const CompactedSegment& made);
  void remove_files(std::vector<std::string> files);

  PartitionLog& log_;
  const EntryIndex committed_;
};

}  // namespace chronik::wal
