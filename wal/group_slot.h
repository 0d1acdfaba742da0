// What a GroupCommit keeps about a log of its shard, in the log itself. Internal to the log.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace chronik::wal {

class GroupCommit;

struct GroupSlot {
  GroupCommit* group = nullptr;
  std::size_t number = 0;
  bool queued = false;
  bool force_sync = false;
  bool awaited = false;       // by a CheckpointPass
  bool saved_behind = false;  // the checkpoint in flight is a pass's
  std::uint64_t seen_unsaved_bytes = 0;
  SteadyTime seen_at{};
  SteadyTime unsynced_at{};
  std::uint64_t last_frame = 0;  // of the journal that may have something of it
};

}  // namespace chronik::wal
