// MetaSnapshots: the snapshot files of the metadata log and when they are written: the newest is
// loaded at the start, a new one is written when the log behind it has grown, the two newest are
// kept. Part of a MetaLogStore or a RaftMetaLog, on its shard; files are written on the I/O thread,
// in slices between flushes, from an image that never changes.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "metadata/image.h"
#include "metadata/snapshot_file.h"
#include "wal/io_executor.h"
#include "wal/log_environment.h"

namespace chronik::metadata {

class MetaSnapshots {
 public:
  /// A new one is durable; what it made superfluous is being removed.
  using OnWritten = std::function<void(const SnapshotInfo& written)>;

  /// `log_bytes_min`: so much log, or twice the size of the newest, calls for a new one.
  MetaSnapshots(wal::LogEnvironment& environment, wal::IoExecutor& executor, std::string directory,
                std::uint64_t log_bytes_min, OnWritten on_written);
  /// One that is being written is abandoned.
  ~MetaSnapshots();
  MetaSnapshots(const MetaSnapshots&) = delete;
  MetaSnapshots& operator=(const MetaSnapshots&) = delete;

  struct Loaded {
    std::shared_ptr<const Image> image;  // null: there is none, or none that is good
    SnapshotInfo info;
    std::string damaged;          // path of one that could not be read and was done without
    std::optional<Error> damage;  // of that
  };
  /// At the start, here and now: removes unfinished ones and loads the newest that is good. After a
  /// damaged one none is taken that ends before `log_start`. Errors: io, unsupported.
  Result<Loaded> load(Offset log_start);

  /// At the start, here and now: none of them counts any more; their files are renamed, for people.
  /// Errors: io.
  Result<void> set_aside();

  /// The log behind the newest snapshot has grown.
  void add_log_bytes(std::uint64_t bytes) { log_bytes_since_ += bytes; }
  /// Begins one if that is due; `epoch` is that of the image's last entry.
  void maybe_write(const std::shared_ptr<const Image>& image, LeaderEpoch epoch);
  /// One that was received, under its name, is the only one that counts from now on.
  void adopt(const SnapshotInfo& received);
  /// No new one begins, and one under way ends.
  void stop() { stopped_ = true; }

  /// Newest first; at most two.
  const std::vector<SnapshotName>& names() const { return names_; }
  /// The last entry in the newest; 0: none.
  EntryIndex newest_index() const { return newest_index_; }
  /// The log is of use from here on: the older one must do should the newer be damaged.
  std::optional<Offset> log_needed_from() const;
  bool in_flight() const { return task_ != nullptr; }

 private:
  struct Task;
  void step();
  void on_step();
  void retire(const SnapshotInfo& written);
  void remove_files(std::vector<std::string> paths);

  wal::LogEnvironment& environment_;
  wal::IoExecutor& executor_;
  const std::string directory_;
  const std::uint64_t log_bytes_min_;
  const OnWritten on_written_;
  std::vector<SnapshotName> names_;       // those that are good, newest first
  std::vector<std::string> superfluous_;  // files to be removed once a new snapshot is there
  EntryIndex newest_index_ = 0;
  std::uint64_t file_bytes_ = 0;       // of the newest
  std::uint64_t log_bytes_since_ = 0;  // applied behind the newest
  bool wanted_ = false;                // whatever the log's size
  bool stopped_ = false;
  std::shared_ptr<Task> task_;  // null: none in flight
};

}  // namespace chronik::metadata
