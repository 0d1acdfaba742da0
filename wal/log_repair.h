// `chronik log repair DIR`: makes a damaged partition open again by giving up what lies behind the
// first damage. What it takes away is kept beside it in files that end in ".damaged". An explicit
// act of an administrator; the broker must be stopped (the data directory's lock is taken).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "base/types.h"
#include "wal/journal_replay.h"
#include "wal/partition_scan.h"

namespace chronik::wal {

struct RepairReport {
  bool changed = false;
  LogDamage first_damage;
  Offset log_start_offset = 0;
  Offset end_offset = 0;  // of what is left
  std::uint64_t bytes_kept = 0;
  std::uint64_t bytes_taken = 0;
  std::vector<std::string> kept_aside;  // the ".damaged" files
  /// The checkpoint was lost: records that DeleteRecords had hidden in the first segment are back.
  bool log_start_lost = false;
};

/// `directory` is one partition's. May be interrupted and repeated. Errors: io, no_space, busy,
/// not_found, invalid_argument (no partition's directory), corrupt (whose directory it is cannot be
/// told); those of replay_journals(), which copies first.
Result<RepairReport> repair_log(Disk& disk, const std::string& directory,
                                const OnProgress& on_progress = {},
                                const TakeStates& take_states = {});

}  // namespace chronik::wal
