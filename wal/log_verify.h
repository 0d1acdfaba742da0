// `chronik log verify DIR`: reads every byte of one partition or of a whole data directory and says
// what is damaged: the stamp, batch CRCs, offsets and epochs in order, the chain over what the CRCs
// leave out, segments and indexes against the checkpoint, optionally every record. Changes nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "wal/partition_scan.h"

namespace chronik::wal {

struct VerifyOptions {
  /// Decompresses and reads every record too.
  bool records = false;
};

struct VerifyReport {
  std::uint64_t partitions = 0;
  std::uint64_t segments = 0;
  std::uint64_t batches = 0;
  std::uint64_t records = 0;  // counted by the batch headers
  std::uint64_t bytes = 0;
  std::uint64_t torn_tails = 0;
  std::uint64_t damaged_indexes = 0;  // made again by themselves
  /// Of these bytes, in so many segments, the journal has a copy that the next start writes there;
  /// they were read as if it had.
  std::uint64_t journal_bytes = 0;
  std::uint64_t journal_segments = 0;
  std::vector<LogDamage> damages;  // the rest: these stop a start, or would give bad records

  bool sound() const { return damages.empty(); }
};

struct VerifyCallbacks {
  /// Each finding as it is met, the harmless ones included.
  std::function<void(const LogDamage&)> on_damage = {};
  OnProgress on_progress = {};
};

/// Errors: io, not_found, invalid_argument, unsupported (newer format).
Result<VerifyReport> verify_logs(Disk& disk, const std::string& path, const VerifyOptions& options,
                                 const VerifyCallbacks& callbacks = {});

/// One line for people: file, position, what, and how bad it is.
std::string to_string(const LogDamage& damage);

}  // namespace chronik::wal
