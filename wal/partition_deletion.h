// PartitionDeletion: the directory of a deleted partition is renamed aside, which makes the
// deletion durable; its files go later (wal/file_removal.h). Made on the shard, run on the I/O
// thread.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/file.h"
#include "base/result.h"
#include "wal/log_settings.h"

namespace chronik::wal {

struct PartitionDeletion {
  std::string directory;
  LogIdentity identity;
  std::function<void()> done;
  std::string aside;
  bool renamed = false;
  std::optional<Error> error;

  /// May be called again when it was out of descriptors. Nothing to do when the directory is not
  /// there, or is another topic's already. Errors: busy, no_space, io.
  Result<void> run(Disk& disk);
};

}  // namespace chronik::wal
