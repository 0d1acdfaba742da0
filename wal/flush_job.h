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

/// Writes entries to their segments: one gathered write per file, then fdatasync; makes directories
/// and segments that are new and syncs the directories. write() of many jobs before sync() of all
/// lets the file system commit them together.
class FlushJob {
 public:
  FlushJob();
  explicit FlushJob(std::unique_ptr<FlushWork> work);
  FlushJob(FlushJob&&) noexcept;
  FlushJob& operator=(FlushJob&&) noexcept;
  ~FlushJob();

  /// I/O thread. sync() does nothing after a failed write().
  void write();
  /// Between the two, when many jobs are synced together: lets the disk begin.
  void start_writeback();
  void sync();
  void run() {
    write();
    sync();
  }
  bool failed() const;
  /// Out of file descriptors: nothing is lost, call write() and sync() again when some are free.
  bool starved() const;
  std::uint64_t bytes() const;

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

  /// I/O thread, after sync() of the flush that was begun just before it. The three steps are apart
  /// for the same reason as FlushJob's.
  void write();
  void sync();
  void publish();
  void run() {
    write();
    sync();
    publish();
  }
  bool failed() const;
  /// As FlushJob's.
  bool starved() const;

 private:
  friend class PartitionLog;
  std::unique_ptr<CheckpointWork> work_;
};

}  // namespace chronik::wal
