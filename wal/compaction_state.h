// CompactionState: what a partition log remembers about its compaction. Shard only.
#pragma once

#include <cstdint>
#include <string>

#include "base/types.h"

namespace chronik::wal {

struct CompactionState {
  /// Compaction has seen everything below (Kafka's cleaner checkpoint). Saved with checkpoints.
  Offset first_dirty_offset = 0;
  /// No file of the directory carries it, or ever did.
  std::uint32_t next_generation = 1;
  bool in_flight = false;
  /// Why the log is left alone until the next start: damage that was met; empty: it is not.
  std::string refused;
};

}  // namespace chronik::wal
