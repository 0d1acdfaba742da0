// StateWrite: the state of a replica (raft/multi/state_file.h) on its way to the disk.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/file.h"
#include "base/result.h"
#include "wal/log_settings.h"

namespace chronik::wal {

/// One state that is to be written to its file.
struct StateWrite {
  std::string directory;  // of the log
  LogIdentity identity;
  std::shared_ptr<File> file;
  std::string path;  // of the file
  /// What a frame has of it, and a start hands to TakeStates (wal/journal_replay.h).
  Bytes bytes;
  /// A frame may have it: writing it needs no sync in between.
  bool small = false;
  /// I/O thread. Leaves the last of it to be synced. Errors: io, no_space.
  std::function<Result<void>()> write;

  std::string_view directory_name() const {
    return std::string_view(directory).substr(directory.find_last_of('/') + 1);
  }
};

}  // namespace chronik::wal
