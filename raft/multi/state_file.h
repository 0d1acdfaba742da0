// StateFile: what a replica must not forget beside its log, in `<partition directory>/raft-state`:
// term, vote, whether it is withheld, and the membership in force where its log begins. Two slots
// are written in turn, each twice (raft/multi/format.md), so that neither a torn write nor one bad
// sector loses a vote that was told: a state is told only once its slot is synced.
//
// One per group. load() and save() on the thread that opens the group; afterwards StateWriter
// writes the states of many groups together. The manager's shard owns both.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "raft/core/types.h"
#include "raft/multi/group_id.h"
#include "wal/io_executor.h"
#include "wal/log_environment.h"

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
  /// Of `directory`, which need not exist. Nothing is read or written.
  StateFile(Disk& disk, std::string directory, GroupId group);

  /// Reads the newest state; nothing when there is no file. Errors: corrupt (both copies of a slot
  /// are damaged: a vote may be lost; the message names the file and the ways out),
  /// invalid_argument (another group's), unsupported (a newer build's), io.
  Result<std::optional<ReplicaState>> load();
  /// The same for those who look from outside: changes nothing, and promises nothing.
  Result<std::optional<ReplicaState>> look() const;
  /// Makes directory, the name that says whose it is, and file as needed; all of it and the state
  /// are durable on return. Errors: io, no_space.
  Result<void> save(const ReplicaState& state);

  const std::string& path() const { return path_; }

 private:
  friend class StateWriter;
  struct Slot {
    std::uint64_t position = 0;
    Bytes copy;  // goes there twice
  };
  struct Found;
  Result<Found> read(File& file) const;
  Result<void> create(const ReplicaState& state);
  /// The next slot in turn.
  Slot next(const ReplicaState& state);
  /// Leaves the last of it to be synced.
  static Result<void> write(File& file, const Slot& slot);

  Disk& disk_;
  const std::string directory_;
  const std::string path_;
  const GroupId group_;
  std::shared_ptr<File> file_;  // null until load() found it or save() made it
  std::uint64_t sequence_ = 0;  // of the newest slot
};

/// Writes states of many groups with one sync of all their files. Works run in the order of the
/// calls, before any flush of a log that is asked for after the call (IoExecutor is in order).
class StateWriter {
 public:
  StateWriter(wal::LogEnvironment& environment, wal::IoExecutor& executor)
      : environment_(environment), executor_(executor) {}

  struct Save {
    StateFile* file = nullptr;  // loaded or saved once before
    ReplicaState state;
  };
  /// `done` runs on the shard once all are durable; never when the disk failed (then on_fatal was
  /// called).
  void write(const std::vector<Save>& saves, std::function<void()> done);

 private:
  wal::LogEnvironment& environment_;
  wal::IoExecutor& executor_;
};

}  // namespace chronik::raft
