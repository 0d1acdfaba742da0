#include "raft/multi/replica_files.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "base/log.h"
#include "raft/core/options.h"
#include "wal/format.h"

namespace chronik::raft {

namespace {

bool is_log_file(const std::string& name) {
  return name.ends_with(wal::log_suffix) || name.ends_with(wal::index_suffix) ||
         name == wal::checkpoint_file || name == wal::new_checkpoint_file;
}

/// May be interrupted and repeated: until it is done the state file says that the log is damaged.
Result<void> set_aside(Disk& disk, const std::string& directory) {
  TRY_ASSIGN(const std::vector<DirectoryEntry> entries, disk.list(directory));
  for (const DirectoryEntry& entry : entries) {
    if (!is_log_file(entry.name)) continue;
    std::string aside;
    for (int n = 0;; ++n) {
      aside = fmt::format("{}/{}.{}{}", directory, entry.name, n, wal::damaged_suffix);
      TRY_ASSIGN(const bool taken, disk.exists(aside));
      if (!taken) break;
    }
    TRY(disk.rename(directory + "/" + entry.name, aside));
  }
  return disk.sync_directory(directory);
}

/// A log that is cut to nothing, to go on behind a snapshot, does not hold what was acknowledged;
/// the snapshot does.
Result<void> finish_install(const ReplicaPlace& place, const ReplicaState& state,
                            wal::PartitionLog& log) {
  if (!state.install || !place.received || log.start_index() > state.install->index) return {};
  TRY_ASSIGN(const std::optional<ReceivedSnapshot> received, place.received());
  if (!received || received->index != state.install->index) return {};
  log.restart_at(wal::nothing_before(received->end_offset, received->index, received->term));
  return log.flush();
}

Result<std::unique_ptr<LogStore>> open_store(wal::LogEnvironment& environment,
                                             wal::GroupCommit& group_commit,
                                             const ReplicaPlace& place, const ReplicaState& state,
                                             wal::DirectorySync sync) {
  TRY_ASSIGN(auto log, wal::PartitionLog::open(environment, place.directory, place.identity,
                                               place.settings, place.derived, sync));
  if (!log->recovery().had_checkpoint && log->log_start_offset() != 0) {
    return Error{
        Errc::corrupt,
        fmt::format("{}: the log begins at offset {} without a checkpoint that says so: its "
                    "first segment is missing",
                    place.directory, log->log_start_offset())};
  }
  TRY(finish_install(place, state, *log));
  // What was acknowledged may be gone, and `commit` is too old to tell.
  if (state.install && log->start_index() <= state.install->index &&
      log->recovery().cut_under_way) {
    return Error{Errc::corrupt, fmt::format("{}: the process ended while the log was replaced by "
                                            "what another node sent",
                                            place.directory)};
  }
  auto store = std::make_unique<LogStore>(std::move(log), group_commit);
  // Entries that were durable here.
  if (const Index committed = state.commit; committed > store->last_index()) {
    return Error{Errc::corrupt,
                 fmt::format("{}: the log ends with entry {}, entries up to {} were committed",
                             place.directory, store->last_index(), committed)};
  }
  TRY(store->memberships({}));
  return store;
}

/// There is no state file: of what the log is, that is a node's first start in a cluster, or a
/// loss.
Result<void> begin_state(ReplicaFiles& files, const ReplicaPlace& place) {
  wal::PartitionLog& log = files.store->log();
  TRY_ASSIGN(const std::vector<wal::OwnEntry> own, log.own_entries());
  if (!own.empty()) {
    return Error{
        Errc::corrupt,
        fmt::format(
            "{} is missing, and the log beside it is one of a cluster: the votes of this node "
            "are lost. Put the file back; or remove the whole data directory: the node comes "
            "back as an empty one and copies what the others have",
            files.state_file->path())};
  }
  files.state.hard.term = std::max<Term>(log.last_epoch(), 0);
  const RecoveryNumber recovery =
      std::max(place.recovery.number, place.left ? place.left->recovery : 0);
  if (recovery > 0) {
    files.state.recovery = recovery;
    files.state.hard.term = std::max(files.state.hard.term, place.recovery.term);
    // One that never became a group's is not of the history that goes on.
    files.state.log_damaged = log.last_index() > 0;
  } else {
    files.state.base = {0, place.bootstrap};
  }
  // What one that is alone has on disk was acknowledged, and is never taken back.
  if (is_alone(files.state.base.membership, place.node)) {
    files.state.commit = files.store->last_index();
  }
  if (place.left && place.left->recovery == recovery) {
    const Term taken_on = files.state.hard.term;
    files.state.hard = place.left->hard;
    files.state.hard.term = std::max(files.state.hard.term, taken_on);
  } else if (files.state.base.membership.voters.empty()) {
    // It joins, and may have been there before.
    files.state.hard.withheld_until = until_told;
  }
  return files.state_file->save(files.state);
}

Result<void> check_state(const ReplicaFiles& files) {
  const LeaderEpoch last = files.store->log().last_epoch();
  if (last <= files.state.hard.term) return {};
  return Error{
      Errc::corrupt,
      fmt::format("{} says term {}, and the log beside it has entries of term {}: the file is "
                  "an old copy, and votes of this node are lost. Put back the newer one; or "
                  "remove the whole data directory: the node comes back as an empty one and "
                  "copies what the others have",
                  files.state_file->path(), files.state.hard.term, last)};
}

/// Before anything is cut: a start that found no damage any more would vote.
Result<void> begin_repair(ReplicaFiles& files) {
  if (files.log_damaged) return {};
  files.log_damaged = true;
  files.state.log_damaged = true;
  files.state.hard = withhold(files.state.hard);
  return files.state_file->save(files.state);
}

/// Before anything is acknowledged: else it would be given up with the next start.
Result<void> end_repair(ReplicaFiles& files) {
  files.state.log_damaged = false;
  return files.state_file->save(files.state);
}

/// What the log's begin says about which membership counts there, and the log about later ones.
Result<void> settle_memberships(ReplicaFiles& files) {
  ReplicaState& state = files.state;
  const wal::PartitionLog& log = files.store->log();
  if (state.install && log.start_index() > state.install->index) state.base = *state.install;
  state.install.reset();
  state.base.index = std::min(state.base.index, log.last_index());
  TRY_ASSIGN(files.memberships, files.store->memberships(state.base));
  return {};
}

}  // namespace

bool is_alone(const Membership& membership, NodeId node) {
  return membership.voters == std::vector<NodeId>{node} && membership.outgoing.empty();
}

Result<ReplicaFiles> open_replica_files(wal::LogEnvironment& environment,
                                        wal::GroupCommit& group_commit, const ReplicaPlace& place) {
  ReplicaFiles files;
  files.state_file = std::make_unique<StateFile>(environment.disk, place.directory, place.group(),
                                                 environment.journal);
  const wal::DirectorySync sync = environment.sync_of(place.directory);
  TRY_ASSIGN(std::optional<ReplicaState> state, files.state_file->load(sync));
  if (state) files.state = std::move(*state);
  if (state && begins_anew(files.state, place)) TRY(begin_anew(files, place));
  if (!state || !files.state.log_damaged) {
    Result<std::unique_ptr<LogStore>> store =
        open_store(environment, group_commit, place, files.state, sync);
    const bool others_have_it = state && !is_alone(files.state.base.membership, place.node);
    if (!store && (store.error().code != Errc::corrupt || !others_have_it)) {
      return std::move(store).error();
    }
    if (store) {
      files.store = std::move(*store);
    } else {
      log_error("a log is damaged: it is set aside and copied from the other nodes again",
                {{"why", store.error().message}});
      if (files.state.recovery < place.recovery.number) TRY(begin_anew(files, place));
      TRY(begin_repair(files));
    }
  }
  if (files.store == nullptr) TRY(give_up_log(files, environment, group_commit, place));
  if (!state) {
    TRY(begin_state(files, place));
    // Its directory is there now, and known to be its own.
    files.store.reset();
    if (files.state.log_damaged) {
      TRY(give_up_log(files, environment, group_commit, place));
    } else {
      TRY_ASSIGN(files.store, open_store(environment, group_commit, place, files.state,
                                         wal::DirectorySync::unknown));
    }
  }
  TRY(check_state(files));
  TRY(settle_memberships(files));
  // The power went before a begin that was saved had moved: of entries before it nobody knows who
  // belonged to the group. A machine that reads entries may need them still.
  if (place.derived != nullptr) files.store->hide_up_to(files.state.base.index);
  TRY_ASSIGN(const bool survived, survive(files, place));
  if (survived) TRY(settle_memberships(files));
  return files;
}

Result<void> give_up_log(ReplicaFiles& files, wal::LogEnvironment& environment,
                         wal::GroupCommit& group_commit, const ReplicaPlace& place) {
  TRY(begin_repair(files));
  files.store.reset();
  TRY(set_aside(environment.disk, place.directory));
  files.state.commit = 0;
  files.state.recovered_at = 0;
  files.state.install.reset();
  TRY_ASSIGN(files.store, open_store(environment, group_commit, place, files.state,
                                     wal::DirectorySync::unknown));
  TRY(settle_memberships(files));
  return end_repair(files);
}

}  // namespace chronik::raft
