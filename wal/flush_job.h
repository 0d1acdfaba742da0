// FlushJob and CheckpointJob: the disk work of one partition log, taken from the shard and run on
// the I/O thread. They own or share all they touch, so the log may append (and even be destroyed)
// meanwhile. A job that fails calls on_fatal on the thread it runs on and says so by failed().
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/result.h"

namespace chronik::wal {

struct FlushWork;
struct CheckpointWork;
class JournalFrameBuilder;

/// A segment that was written without a sync, and what its log must know of that moment when it was
/// synced by somebody else.
struct UnsyncedFile {
  std::string path;
  std::uint64_t flushes_begun = 0;
  std::uint64_t generation = 0;
};

/// Writes entries to their segments: one gathered write per file, then fdatasync; makes directories
/// and segments that are new and syncs the directories. The syncs of many jobs are asked for in one
/// batch, which the file system commits together.
class FlushJob {
 public:
  FlushJob();
  explicit FlushJob(std::unique_ptr<FlushWork> work);
  FlushJob(FlushJob&&) noexcept;
  FlushJob& operator=(FlushJob&&) noexcept;
  ~FlushJob();

  /// I/O thread: write(), then Disk::sync_all() of what add_syncs() wants, then synced() with its
  /// result. Nothing is wanted after a failed write().
  void write();
  /// After write(), when other jobs are written before the sync: lets the disk begin.
  void start_writeback();
  void add_syncs(SyncBatch& batch) const;
  void synced(const Result<void>& result);
  /// All of it, for one log alone.
  void run();
  bool failed() const;
  /// Out of file descriptors, or of space when disk_full(): nothing is lost, do it all again when
  /// there are some.
  bool starved() const;
  bool disk_full() const;
  /// Before it is done again: closes the files it holds; what was not synced is written once more.
  void release_files();
  std::uint64_t bytes() const;

  /// An append to one segment that is there, name and all: a frame of the journal may have it.
  bool journalable() const;
  /// Shard, before it is run: whether it is written without a sync, because a frame has it.
  void set_journaled(bool journaled);
  bool journaled() const;
  const std::string& directory() const;
  /// It has the first entries of a log. When there was one in the directory before, of the same
  /// topic id, its frames must not be taken for this one's: begin_with_mark() makes them void
  /// first.
  bool begins_log() const;
  void begin_with_mark();
  /// I/O thread, after write(): when that went well.
  void add_to(JournalFrameBuilder& frame) const;

 private:
  friend class PartitionLog;
  std::unique_ptr<FlushWork> work_;
};

/// Writes what the index files lack, then replaces the checkpoint file.
class CheckpointJob {
 public:
  CheckpointJob();
  explicit CheckpointJob(std::unique_ptr<CheckpointWork> work);
  CheckpointJob(CheckpointJob&&) noexcept;
  CheckpointJob& operator=(CheckpointJob&&) noexcept;
  ~CheckpointJob();

  /// I/O thread, when the flush that was begun just before it is synced. write() and publish() are
  /// each followed by a sync, as FlushJob::write() is.
  void write();
  void publish();
  void add_syncs(SyncBatch& batch) const;
  void synced(const Result<void>& result);
  void run();
  /// Instead, for a CheckpointPass: without syncs, and holding no files between the two.
  void write_unsynced();
  void publish_unsynced();
  bool failed() const;
  /// As FlushJob's; then PartitionLog::give_up_checkpoint().
  bool starved() const;
  bool disk_full() const;

 private:
  friend class PartitionLog;
  std::unique_ptr<CheckpointWork> work_;
};

}  // namespace chronik::wal
