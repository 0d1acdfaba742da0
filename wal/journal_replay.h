// What a start does with the journals of the process before it: copies what they hold into the
// segments, before any log is opened, and gives it up once it is synced there. Which frames count
// is said by one number, the epoch, which each start changes: older frames are void from then on.
// May be interrupted and repeated.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/file.h"
#include "base/result.h"
#include "wal/journal_frame.h"
#include "wal/journal_home.h"

namespace chronik::wal {

struct JournalReplay {
  std::uint64_t frames = 0;
  std::uint64_t writes = 0;
  std::uint64_t bytes = 0;
  std::uint64_t segments = 0;
  std::uint64_t states = 0;
  /// Of logs that were deleted, cut or checkpointed since.
  std::uint64_t void_writes = 0;
};

/// A write that a segment may lack, or the state of a replica: `path` is the segment's, or the
/// directory of the log.
using VisitJournalWrite = std::function<Result<void>(
    const std::string& path, const JournalFrame& frame, const JournalWrite& write)>;
/// All of them, in the order in which they were made; void ones are left out and counted (of states
/// only those whose log is not there any more). Changes nothing. Errors: io; corrupt when a frame
/// is missing that was acknowledged; unsupported (a newer format).
Result<void> for_each_journal_write(Disk& disk, const std::string& data_directory,
                                    const VisitJournalWrite& visit, std::uint64_t& void_writes);

/// States by the directory of their log: of each the last one that the journal has. Writes those
/// that their files lack, and says how many these were: the others have something newer, or are of
/// another replica. Durable on return. Errors: io, busy, unsupported, corrupt.
using TakeStates = std::function<Result<std::uint64_t>(const std::map<std::string, Bytes>& states)>;

/// Copies what is there into the segments and syncs them; then the journals hold nothing. Durable
/// on return. Errors: as for_each_journal_write(), no_space, busy; unsupported: there are states,
/// and `take_states` is none.
Result<JournalReplay> replay_journals(Disk& disk, const std::string& data_directory,
                                      const TakeStates& take_states = {});

}  // namespace chronik::wal
