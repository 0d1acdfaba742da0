// FileRemoval: removes a file, or a directory with all in it, in slices: a large file is cut piece
// by piece before its name goes, so that the disk is never busy for long with it. I/O thread. What
// a crash leaves is found and removed by the next start.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/types.h"
#include "base/uuid.h"

namespace chronik::wal {

/// Under which name in `parent` the directory of a partition is set aside, to be removed: one that
/// no other has. A replica that leaves, comes back and leaves again does so before all of its first
/// directory is removed.
Result<std::string> unused_aside(Disk& disk, const std::string& parent, const Uuid& topic_id,
                                 PartitionId partition);

class FileRemoval {
 public:
  explicit FileRemoval(std::string path) : path_(std::move(path)), stack_{path_} {}

  /// One slice of work. True when all is done (or given up, with a warning).
  bool step(Disk& disk);
  bool finished() const { return stack_.empty(); }
  /// The last slice was out of file descriptors: it is done again by the next.
  bool starved() const { return starved_; }
  const std::string& path() const { return path_; }

 private:
  Result<void> work(Disk& disk);

  const std::string path_;
  std::vector<std::string> stack_;  // what is to go; the last one first
  bool starved_ = false;
};

}  // namespace chronik::wal
