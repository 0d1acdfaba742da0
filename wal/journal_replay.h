// What a start does with the journals of the process before it: copies what they hold into the
// segments, before any log is opened, and gives it up once it is synced there. Which frames count
// is said by one number, the epoch, which each start changes: older frames are void from then on.
// May be interrupted and repeated.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/file.h"
#include "base/result.h"
#include "wal/journal_frame.h"

namespace chronik::wal {

struct JournalFileName {
  std::uint32_t shard = 0;
  std::uint64_t number = 0;

  // NOLINTNEXTLINE(modernize-use-nullptr): the compiler's comparison with 0, no pointer
  auto operator<=>(const JournalFileName&) const = default;
};

std::string journal_directory(const std::string& data_directory);
/// {1, 2} -> "1-2"; and back, nothing when the name is another's.
std::string journal_file_name(JournalFileName name);
std::optional<JournalFileName> parse_journal_file_name(std::string_view name);

struct JournalReplay {
  std::uint64_t frames = 0;
  std::uint64_t writes = 0;
  std::uint64_t bytes = 0;
  std::uint64_t segments = 0;
  /// Of logs that were deleted, cut or checkpointed since.
  std::uint64_t void_writes = 0;
};

/// A write that a segment may lack.
using VisitJournalWrite = std::function<Result<void>(
    const std::string& segment_path, const JournalFrame& frame, const JournalWrite& write)>;
/// All of them, in the order in which they were made; void ones are left out and counted. Changes
/// nothing. Errors: io; corrupt when a frame is missing that was acknowledged; unsupported (a newer
/// format).
Result<void> for_each_journal_write(Disk& disk, const std::string& data_directory,
                                    const VisitJournalWrite& visit, std::uint64_t& void_writes);

/// Copies what is there into the segments and syncs them; then the journals hold nothing. Durable
/// on return. Errors: as for_each_journal_write(), no_space, busy.
Result<JournalReplay> replay_journals(Disk& disk, const std::string& data_directory);

/// The directory of the journals, made when it is missing, for so many shards; what others left is
/// removed. Returns the epoch of their frames, which is drawn from `seed` where it is the first
/// one: no epoch of another journal that the directory ever had. Behind replay_journals(). Errors:
/// io, no_space.
Result<std::uint64_t> begin_journals(Disk& disk, const std::string& data_directory,
                                     std::uint32_t shards, std::uint64_t seed);
/// There are to be none. Behind replay_journals(). Errors: io.
Result<void> remove_journals(Disk& disk, const std::string& data_directory);

}  // namespace chronik::wal
