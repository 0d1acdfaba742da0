// LogEnvironment: what all partition logs of one shard share: the disk, the open files, counters,
// and what happens when the disk fails. One per shard; outlives the logs. `disk` and `space` are
// thread safe and may be shared by shards.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "protocol/record_scanner.h"
#include "wal/disk_space.h"
#include "wal/open_files.h"
#include "wal/synced_start.h"

namespace chronik::wal {

/// Written on the shard only.
struct LogCounters {
  std::uint64_t appends = 0;
  std::uint64_t appended_bytes = 0;
  std::uint64_t flushes = 0;          // group commits
  std::uint64_t flushed_logs = 0;     // logs that took part in them
  std::uint64_t flushes_at_once = 0;  // group commits synced by one call for the file system
  std::uint64_t checkpoints = 0;
  std::uint64_t torn_tails = 0;  // cut at recovery
  std::uint64_t torn_bytes = 0;
  std::uint64_t recovered_bytes = 0;  // scanned at start
  std::uint64_t indexes_rebuilt = 0;
  std::uint64_t segments_rolled = 0;
  std::uint64_t segments_deleted = 0;
  std::uint64_t compactions = 0;  // runs that ended well
  std::uint64_t compacted_bytes_before = 0;
  std::uint64_t compacted_bytes_after = 0;
  std::uint64_t journal_frames = 0;  // group commits that used the journal
  std::uint64_t journal_bytes = 0;
  std::uint64_t journaled_logs = 0;    // of flushed_logs
  std::uint64_t journal_releases = 0;  // syncs of segments, so that frames are no longer needed
  std::uint64_t journal_full = 0;      // group commits in place because no file of it was free
};

/// Called on the thread that met the first failed write or sync, before anything could be
/// acknowledged. The default logs one line and ends the process with exit_disk_failure. A test's
/// handler may return: then the log stays poisoned and acknowledges nothing any more.
using FatalHandler = std::function<void(const Error&)>;
inline constexpr int exit_disk_failure = 74;  // EX_IOERR
[[noreturn]] void end_process(const Error& error);

struct Tail;
class Journal;

struct LogEnvironment {
  explicit LogEnvironment(Disk& disk_of_logs, std::size_t open_files_max = 2048)
      : disk(disk_of_logs), files(open_files_max) {}

  Disk& disk;
  OpenFiles files;
  SpaceGuard* space = nullptr;          // nullptr: never refuses
  Journal* journal = nullptr;           // nullptr: each log is synced in place
  SyncedStart* synced_start = nullptr;  // nullptr: nothing that is found is known to be durable
  LogCounters counters;
  protocol::RecordScratch scratch;  // for lookups by time
  FatalHandler on_fatal = [](const Error& error) { end_process(error); };

  /// What is known of a directory that is about to be opened; asked once for each opening.
  DirectorySync sync_of(const std::string& directory) const;

  /// Lists of unwritten entries go round among the logs, so that an idle log holds none.
  std::shared_ptr<Tail> take_tail();
  void give_tail(std::shared_ptr<Tail> tail);

 private:
  std::vector<std::shared_ptr<Tail>> spare_tails_;
};

}  // namespace chronik::wal
