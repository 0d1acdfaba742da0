// What is inside of FlushJob and CheckpointJob: filled on the shard, run on the I/O thread, read on
// the shard again. Internal to the log.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/file.h"
#include "base/types.h"
#include "wal/journal_frame.h"
#include "wal/log_environment.h"
#include "wal/log_settings.h"
#include "wal/recovery.h"
#include "wal/segment_index.h"

namespace chronik::wal {

/// An entry that is not yet in its file.
struct TailEntry {
  SharedBytes bytes;
  Offset base_offset = 0;
  Offset next_offset = 0;   // base_offset when it is Raft's own
  Offset segment_base = 0;  // names its segment
  EntryIndex index = 0;
  std::uint64_t position = 0;
};

/// Entries in log order. While a flush is in flight its tail is read by both threads and changed by
/// none.
struct Tail {
  std::vector<TailEntry> entries;
};

/// Where a partition's files are and who is told of failures; all parts may be used on any thread.
struct LogPlace {
  Disk* disk = nullptr;
  SpaceGuard* space = nullptr;
  const FatalHandler* on_fatal = nullptr;
  std::string directory;
  LogIdentity identity;
  const Journal* journal = nullptr;

  /// The checkpoint as it is written: what the journal has so far is void with it. Precondition:
  /// all that the log keeps of it is synced before the checkpoint counts.
  Bytes marked(Bytes checkpoint) const;
};

/// How far a job that can starve has come, and how it ended.
struct JobOutcome {
  bool failed = false;
  bool starved = false;
  bool disk_full = false;  // what it starves for is space, not a descriptor

  bool running() const { return !failed && !starved; }
  void begin_attempt() { starved = disk_full = false; }
  /// Out of descriptors or of space: starved. Anything else is fatal, as is every failed sync
  /// (which is never said to be for want of space).
  void meet(const Error& error, const LogPlace& place);
};

struct SegmentWrite {
  Offset base_offset = 0;
  std::shared_ptr<File> file;  // nullptr: made or opened by the job
  std::size_t begin = 0;       // entries of the tail
  std::size_t end = 0;
  bool made = false;  // its name needs a sync of the directory
  bool done = false;
};

/// Cuts the log behind an entry before anything is written.
struct TruncateWork {
  EntryIndex last_kept = 0;
  Bytes checkpoint;
  std::vector<SegmentName> removed_segments;  // newest first
  std::optional<Offset> cut_segment;
  std::uint64_t cut_position = 0;
  bool checkpoint_done = false;
  /// The log restarts elsewhere once everything is gone: with segments that another replica sent.
  std::vector<SegmentName> received;
  Bytes checkpoint_after;
  /// Whatever is left of the log before is taken for older than that by a start: the log is the old
  /// one or the new one at any time. `checkpoint` is for a log that has none yet, and cuts nothing.
  bool at_once = false;
};

struct FlushWork {
  LogPlace place;
  bool make_directory = false;
  bool sync_data = true;
  /// A frame of the journal may take the place of the sync; does.
  bool journalable = false;
  bool journaled = false;
  /// Has the first entry of the log.
  bool begins_log = false;
  /// Of a log without entries, to be there before these: see FlushJob::begin_with_mark().
  Bytes first_checkpoint;
  std::optional<TruncateWork> truncate;
  std::shared_ptr<Tail> tail;
  std::vector<SegmentWrite> writes;
  std::uint64_t bytes = 0;
  Offset end_offset = 0;
  EntryIndex last_index = 0;
  std::uint64_t generation = 0;
  JobOutcome outcome;
  bool names_changed = false;
  bool names_synced = false;
  bool parent_synced = true;

  void write();
  /// What write() left to be synced, and how that ended.
  void add_syncs(SyncBatch& batch) const;
  void synced(const Result<void>& result);
  void release_files();
  void add_to(JournalFrameBuilder& frame) const;

 private:
  Result<void> prepare_directory();
  Result<void> set_aside(const PartitionFiles& files);
  Result<void> run_truncate();
  Result<void> take_received();
  Result<void> remove_segments();
  Result<void> write_segment(SegmentWrite& write);
  Result<void> write_all();
};

struct IndexWrite {
  IndexOwner owner;
  std::uint32_t generation = 0;
  std::uint32_t first = 0;  // number of the first entry
  std::uint32_t count = 0;
  Bytes bytes;
  std::shared_ptr<File> file;
  bool synced = false;
};

struct CheckpointWork {
  LogPlace place;
  Bytes checkpoint;
  std::vector<IndexWrite> indexes;
  std::optional<Offset> unsynced_base;  // in page-cache mode: the active segment
  std::shared_ptr<File> unsynced_log;
  std::uint64_t flushes_begun = 0;
  Offset start_offset = 0;
  std::uint64_t unsaved_bytes = 0;
  std::uint64_t generation = 0;
  std::vector<std::string> removals;
  std::shared_ptr<File> file;
  JobOutcome outcome;
  int step = 0;

  void write();
  void publish();
  void close_files();
  /// What write() or publish() left to be synced, and how that ended.
  void add_syncs(SyncBatch& batch) const;
  void synced(const Result<void>& result);

 private:
  Result<void> write_all();
};

/// Replaces the checkpoint of a directory durably, all steps at once.
Result<void> replace_checkpoint(Disk& disk, const std::string& directory, ByteView bytes);

}  // namespace chronik::wal
