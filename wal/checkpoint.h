// Checkpoint: what a partition log knows to be durable, saved beside its segments so that a restart
// reads only what came after. Replaced as a whole (new file, sync, rename, directory sync), so a
// checkpoint that does not match its checksum is damage, never a torn write. Layout: wal/format.md,
// "Checkpoint".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "wal/epoch_cache.h"
#include "wal/log_settings.h"
#include "wal/segment.h"

namespace chronik::wal {

/// A frame of a journal (wal/journal_frame.h).
struct JournalMark {
  std::uint64_t epoch = 0;
  std::uint64_t lsn = 0;

  bool operator==(const JournalMark&) const = default;
};

struct Checkpoint {
  LogIdentity identity;
  Offset start_offset = 0;
  Offset end_offset = 0;
  EntryIndex last_index = 0;
  /// In order; the last one is the active segment. Empty: the next segment begins at end_offset.
  std::vector<SegmentFacts> segments;
  std::vector<EpochStart> epochs;
  /// Compaction has seen everything below; 0: nothing.
  Offset first_dirty_offset = 0;
  /// Written before a truncation, which removes files that this checkpoint does not know.
  bool cut_under_way = false;
  /// DerivedState::save() as of end_offset.
  bool has_derived = false;
  Bytes derived;

  /// Of the frames of this journal up to this one the segments have all that is left of them.
  std::optional<JournalMark> journal{};

  bool operator==(const Checkpoint&) const = default;
};

enum class CheckpointKind {
  synced,
  /// Its name is not synced (wal/checkpoint_pass.h): the log start does not move by it, no file
  /// goes, and what was wanted of a checkpoint still is.
  unsynced,
};

/// Of a log that begins behind entry `last_index` of `epoch` (-1: none) with nothing.
Checkpoint nothing_before(Offset offset, EntryIndex last_index, LeaderEpoch epoch);

Bytes encode_checkpoint(const Checkpoint& checkpoint);
/// An encoded checkpoint with this mark, in place of the one it may have.
Bytes with_journal_mark(Bytes encoded, const JournalMark& mark);
/// `file` names the source in errors. Errors: corrupt, unsupported (a newer format).
Result<Checkpoint> decode_checkpoint(ByteView bytes, const std::string& file);

/// What opening a log found and did.
struct RecoveryReport {
  std::uint64_t scanned_bytes = 0;
  std::uint64_t torn_bytes = 0;
  std::string torn_file;
  std::uint64_t torn_position = 0;
  bool had_checkpoint = false;
  /// The checkpoint was written before a truncation or a restart, and none after it: that may have
  /// been done, in part or not at all.
  bool cut_under_way = false;
};

}  // namespace chronik::wal
