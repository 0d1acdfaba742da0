// CompactionJob: one run of compaction over one log, taken from the shard and done in slices on a
// thread that may be slow. It reads the settled segments twice (first the dirty ones for the map of
// keys, then all for what stays), writes new segments beside them, each synced with its name, and
// changes nothing of the log: that does LogCompaction::end() on the shard, and the checkpoint after
// it makes it durable. A run that is given up leaves only files that nobody names.
//
// It owns or shares all it touches, so the log may go on, be cut or destroyed meanwhile. A failed
// write or sync calls on_fatal on the thread it runs on; a full disk and damage do not.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace chronik::wal {

struct CompactedSegment;
struct CompactionWork;

/// What a run may use.
struct CompactionLimits {
  std::uint64_t map_bytes_max = 128u << 20;  // log.cleaner.dedupe.buffer.size
  double map_load_max = 0.9;                 // log.cleaner.io.buffer.load.factor
  std::size_t io_buffer_bytes = 512u << 10;  // log.cleaner.io.buffer.size
  std::uint64_t slice_bytes = 1u << 20;      // read by one step
  /// Given to the disk and not yet written by it; appends of other logs wait behind that.
  std::uint64_t in_flight_bytes_max = 4u << 20;
};

class CompactionJob {
 public:
  CompactionJob();
  explicit CompactionJob(std::unique_ptr<CompactionWork> work);
  CompactionJob(CompactionJob&&) noexcept;
  CompactionJob& operator=(CompactionJob&&) noexcept;
  ~CompactionJob();

  explicit operator bool() const { return work_ != nullptr; }
  /// One slice of work; true when there is more to do.
  bool step();
  /// Ends the run at the next step; any thread.
  void cancel();
  /// Bytes read and written so far.
  std::uint64_t moved_bytes() const;

 private:
  friend class LogCompaction;
  std::unique_ptr<CompactionWork> work_;
};

}  // namespace chronik::wal
