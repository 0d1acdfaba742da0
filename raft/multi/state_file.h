// StateFile: what a replica must not forget beside its log, in `<partition directory>/raft-state`:
// term, vote, whether it is withheld, and the membership in force where its log begins. Two slots
// are written in turn, each twice (raft/multi/format.md), so that neither a torn write nor one bad
// sector loses a vote that was told: a state is told only once its slot is synced.
//
// One per group. load() and save() on the thread that opens the group; afterwards states go through
// the shard's GroupCommit, which writes those of many groups together, maybe by way of its journal.
// The manager's shard owns it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "raft/core/types.h"
#include "raft/multi/group_id.h"
#include "wal/checkpoint.h"
#include "wal/journal_replay.h"
#include "wal/state_commit.h"

namespace chronik::raft {

inline constexpr const char* state_file_name = "raft-state";

struct ReplicaState {
  HardState hard;
  /// Of the partition: all of this is of no worth in a later one.
  RecoveryNumber recovery = 0;
  /// The entry that begins this recovery is to be appended there by the survivor; 0: it is done.
  Index recovered_at = 0;
  /// At least these entries are committed and durable here.
  Index commit = 0;
  /// The log lost entries or is damaged: it is set aside at the next start, whatever it looks like.
  bool log_damaged = false;
  /// In force from this index on, as long as no later entry of the log says something else.
  MembershipAt base;
  /// Takes the place of `base` once the log begins behind it: a snapshot that is being installed.
  std::optional<MembershipAt> install;

  bool operator==(const ReplicaState&) const = default;
};

class StateFile {
 public:
  /// Of `directory`, which need not exist. Nothing is read or written. `journal`: that of the
  /// shard, if it has one; outlives this.
  StateFile(Disk& disk, std::string directory, GroupId group,
            const wal::Journal* journal = nullptr);

  /// Reads the newest state; nothing when there is no file. Errors: corrupt (both copies of a slot
  /// are damaged: a vote may be lost; the message names the file and the ways out),
  /// invalid_argument (another group's), unsupported (a newer build's), io.
  /// What is told may be relied on, also after a power cut; `sync`: of the directory.
  Result<std::optional<ReplicaState>> load(wal::DirectorySync sync = wal::DirectorySync::unknown);
  /// The same for those who look from outside: changes nothing, and promises nothing.
  Result<std::optional<ReplicaState>> look() const;
  /// Makes directory, the name that says whose it is, and file as needed; all of it and the state
  /// are durable on return. Errors: io, no_space.
  Result<void> save(const ReplicaState& state);
  /// For GroupCommit::save_states(). Precondition: loaded or saved once before.
  wal::StateWrite write_of(const ReplicaState& state);

  /// For a start: what the journal has is written to the files where it is newer than theirs, and
  /// of the same replica. `disk` outlives it.
  static wal::TakeStates take_into(Disk& disk);

  const std::string& path() const { return path_; }

 private:
  struct Slot {
    std::uint64_t position = 0;
    Bytes copy;  // goes there twice
  };
  struct Found;
  static Result<Found> read(File& file, const std::string& path);
  static Result<std::uint64_t> take(Disk& disk,
                                    const std::vector<std::pair<std::string, ByteView>>& states);
  Result<Found> read_own(File& file) const;
  Result<void> create(const ReplicaState& state);
  /// The next slot in turn.
  Slot next(const ReplicaState& state);
  /// Leaves the last of it to be synced.
  static Result<void> write(File& file, const Slot& slot);

  Disk& disk_;
  const std::string directory_;
  const std::string path_;
  const GroupId group_;
  const wal::Journal* const journal_;
  std::shared_ptr<File> file_;  // null until load() found it or save() made it
  std::uint64_t sequence_ = 0;  // of the newest slot
  /// Where the journal was when the file was made: no other file of this name has the same, with
  /// states in the journal.
  wal::JournalMark made_at_;
};

}  // namespace chronik::raft
