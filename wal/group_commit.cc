#include "wal/group_commit.h"

#include <algorithm>
#include <deque>

#include "base/log.h"
#include "wal/file_removal.h"
#include "wal/format.h"
#include "wal/recovery.h"

namespace chronik::wal {

namespace {

/// Out of descriptors: a round is tried so often, each time after some were closed.
constexpr int starved_attempts_max = 1000;

std::string parent_of(const std::string& path) { return path.substr(0, path.find_last_of('/')); }

/// Renames the directory of a deleted partition aside. Nothing to do when it is not there, or is
/// another topic's already.
Result<void> set_aside(Disk& disk, const std::string& directory, const LogIdentity& identity,
                       const std::string& aside) {
  TRY_ASSIGN(const PartitionFiles files, list_partition_files(disk, directory));
  const bool ours = std::find(files.topic_ids.begin(), files.topic_ids.end(), identity.topic_id) !=
                    files.topic_ids.end();
  if (!files.exists || !ours) return {};
  TRY(disk.rename(directory, aside));
  return disk.sync_directory(parent_of(directory));
}

}  // namespace

struct FlushItem {
  PartitionLog* log = nullptr;  // nullptr: removed meanwhile
  FlushJob job;
};

struct CheckpointItem {
  PartitionLog* log = nullptr;
  CheckpointJob job;
};

/// The logs of one group commit, and the checkpoints that follow it.
struct Round {
  std::vector<FlushItem> flushes;
  std::vector<CheckpointItem> checkpoints;
  int attempts = 0;

  void flush(Disk& disk, SpaceGuard* space) {
    for (FlushItem& item : flushes) {
      item.job.write();
      if (item.job.failed()) return;
      if (flushes.size() > 1) item.job.start_writeback();
    }
    sync(disk, flushes);
    if (space != nullptr) space->refresh();
  }
  void save(Disk& disk) {
    for (CheckpointItem& item : checkpoints) {
      item.job.write();
      if (item.job.failed()) return;
    }
    if (!sync(disk, checkpoints)) return;
    for (CheckpointItem& item : checkpoints) {
      item.job.publish();
      if (item.job.failed()) return;
    }
    sync(disk, checkpoints);
  }
  /// One batch for all; false when it failed.
  template <class Items>
  static bool sync(Disk& disk, Items& items) {
    SyncBatch batch;
    for (auto& item : items) item.job.add_syncs(batch);
    // New logs share their parent.
    std::sort(batch.directories.begin(), batch.directories.end());
    batch.directories.erase(std::unique(batch.directories.begin(), batch.directories.end()),
                            batch.directories.end());
    const Result<void> result = disk.sync_all(batch);
    for (auto& item : items) {
      item.job.synced(result);
      if (item.job.failed()) return false;
    }
    return true;
  }
  void forget(const PartitionLog& log) {
    for (FlushItem& item : flushes) {
      if (item.log == &log) item.log = nullptr;
    }
    for (CheckpointItem& item : checkpoints) {
      if (item.log == &log) item.log = nullptr;
    }
  }
};

/// Who was removed since its job was begun takes the job along. Behind the renaming of a deleted
/// partition's directory it would write where nothing is any more, or another topic's log.
template <class Items>
void drop_removed(Items& items) {
  std::erase_if(items, [](const auto& item) { return item.log == nullptr; });
}

template <class Items>
bool any_failed(const Items& items) {
  return std::any_of(items.begin(), items.end(),
                     [](const auto& item) { return item.job.failed(); });
}
template <class Items>
bool any_starved(const Items& items) {
  return std::any_of(items.begin(), items.end(),
                     [](const auto& item) { return item.job.starved(); });
}

struct GroupCommit::State : std::enable_shared_from_this<GroupCommit::State> {
  State(GroupCommit& owner, LogEnvironment& of_shard, IoExecutor& io, GroupCommitOptions chosen)
      : group(owner), environment(of_shard), executor(io), options(std::move(chosen)) {}

  void start_round();
  void choose_checkpoints(Round& round);
  void take(Round& round, PartitionLog& log);
  void submit_flush(std::shared_ptr<Round> round);
  void submit_checkpoints(std::shared_ptr<Round> round);
  void flushed(const std::shared_ptr<Round>& round);
  void saved(const std::shared_ptr<Round>& round);
  bool retry(Round& round);
  void remove_path(std::string path);
  void next_removal();
  void cancel_removals(const std::string& directory);
  void want_tick();
  void finish_stop();
  bool saving() const { return !checkpointing.empty(); }

  GroupCommit& group;
  LogEnvironment& environment;
  IoExecutor& executor;
  const GroupCommitOptions options;
  std::vector<PartitionLog*> logs;
  std::deque<PartitionLog*> dirty;
  std::shared_ptr<Round> flushing;
  std::vector<std::shared_ptr<Round>> checkpointing;
  std::vector<std::shared_ptr<Round>> notifying;
  /// An estimate between two full looks: what was flushed less what was saved.
  std::uint64_t unsaved_bytes = 0;
  std::deque<std::shared_ptr<FileRemoval>> removals;  // the first one may be under way
  bool removing = false;
  bool failed = false;
  bool tick_wanted = false;
  SteadyTime last_tick{};
  std::optional<Done> stop_done;
};

GroupCommit::GroupCommit(LogEnvironment& environment, IoExecutor& executor,
                         GroupCommitOptions options)
    : state_(std::make_shared<State>(*this, environment, executor, std::move(options))) {}

GroupCommit::~GroupCommit() {
  for (PartitionLog* log : state_->logs) log->group_ = {};
}

void GroupCommit::add(PartitionLog& log) {
  if (log.group_.group == this) return;
  CHECK(log.group_.group == nullptr);
  log.group_.group = this;
  log.group_.number = state_->logs.size();
  state_->logs.push_back(&log);
  state_->unsaved_bytes += log.unsaved_bytes();
  if (log.unsaved_bytes() != 0) state_->want_tick();
}

void GroupCommit::mark_dirty(PartitionLog& log) {
  add(log);
  if (log.group_.queued) return;
  log.group_.queued = true;
  state_->dirty.push_back(&log);
  state_->start_round();
}

void GroupCommit::remove(PartitionLog& log) {
  if (log.group_.group != this) return;
  State& state = *state_;
  state.logs[log.group_.number] = state.logs.back();
  state.logs[log.group_.number]->group_.number = log.group_.number;
  state.logs.pop_back();
  if (log.group_.queued) std::erase(state.dirty, &log);
  if (state.flushing != nullptr) state.flushing->forget(log);
  for (const auto& round : state.checkpointing) round->forget(log);
  for (const auto& round : state.notifying) round->forget(log);
  state.unsaved_bytes -= std::min(state.unsaved_bytes, log.unsaved_bytes());
  log.group_ = {};
}

void GroupCommit::State::take(Round& round, PartitionLog& log) {
  log.group_.queued = false;
  const bool force_sync = std::exchange(log.group_.force_sync, false) || stop_done.has_value();
  if (log.flush_wanted() || (force_sync && log.has_unsynced())) {
    round.flushes.push_back({&log, log.begin_flush(force_sync)});
  }
  const bool due = log.checkpoint_due() || log.unsaved_bytes() > options.unsaved_log_bytes_max ||
                   (stop_done.has_value() && log.unsaved_bytes() != 0);
  if (due && !log.checkpoint_in_flight()) {
    round.checkpoints.push_back({&log, log.begin_checkpoint()});
  }
}

void GroupCommit::State::start_round() {
  if (failed || flushing != nullptr || dirty.empty()) return;
  auto round = std::make_shared<Round>();
  while (!dirty.empty() &&
         round->flushes.size() + round->checkpoints.size() < options.round_logs_max) {
    PartitionLog& log = *dirty.front();
    dirty.pop_front();
    take(*round, log);
  }
  choose_checkpoints(*round);
  if (!round->flushes.empty()) {
    flushing = round;
    submit_flush(std::move(round));
  } else if (!round->checkpoints.empty()) {
    submit_checkpoints(std::move(round));
    start_round();
  }
}

/// Bounds what a restart would scan over all logs: those with the longest tails are saved.
void GroupCommit::State::choose_checkpoints(Round& round) {
  if (unsaved_bytes <= options.unsaved_total_bytes_max) return;
  std::vector<PartitionLog*> candidates;
  unsaved_bytes = 0;
  for (PartitionLog* log : logs) {
    unsaved_bytes += log->unsaved_bytes();
    // Those with entries that this round does not take have their turn with these.
    if (log->unsaved_bytes() != 0 && !log->checkpoint_in_flight() && !log->flush_wanted()) {
      candidates.push_back(log);
    }
  }
  constexpr std::size_t at_once_max = 64;
  const std::size_t count = std::min(candidates.size(), at_once_max);
  std::partial_sort(candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(count),
                    candidates.end(), [](const PartitionLog* a, const PartitionLog* b) {
                      return a->unsaved_bytes() > b->unsaved_bytes();
                    });
  std::uint64_t left = unsaved_bytes;
  for (std::size_t i = 0; i < count && left > options.unsaved_total_bytes_max / 4 * 3; ++i) {
    left -= candidates[i]->unsaved_bytes();
    round.checkpoints.push_back({candidates[i], candidates[i]->begin_checkpoint()});
  }
}

void GroupCommit::State::submit_flush(std::shared_ptr<Round> round) {
  drop_removed(round->flushes);
  executor.run(
      [round, &disk = environment.disk, space = environment.space] { round->flush(disk, space); },
      [self = shared_from_this(), round] { self->flushed(round); });
}

void GroupCommit::State::submit_checkpoints(std::shared_ptr<Round> round) {
  drop_removed(round->checkpoints);
  checkpointing.push_back(round);
  executor.run([round, &disk = environment.disk] { round->save(disk); },
               [self = shared_from_this(), round] { self->saved(round); });
}

/// Frees descriptors for another attempt. False when that did not help for long.
bool GroupCommit::State::retry(Round& round) {
  environment.files.shrink();
  if (++round.attempts < starved_attempts_max) return true;
  failed = true;
  environment.on_fatal({Errc::io, "out of file descriptors: raise the limit (ulimit -n)"});
  return false;
}

void GroupCommit::State::flushed(const std::shared_ptr<Round>& round) {
  if (failed) return;
  if (any_failed(round->flushes)) {
    failed = true;
    return;
  }
  if (any_starved(round->flushes)) {
    if (retry(*round)) submit_flush(round);
    return;
  }
  flushing.reset();
  ++environment.counters.flushes;
  for (FlushItem& item : round->flushes) {
    unsaved_bytes += item.job.bytes();
    if (item.log != nullptr) item.log->end_flush(std::move(item.job));
  }
  if (!round->checkpoints.empty()) submit_checkpoints(round);
  // The disk goes on before the acknowledgements are written.
  notifying.push_back(round);
  start_round();
  for (FlushItem& item : round->flushes) {
    if (item.log != nullptr && item.log->listener_ != nullptr) {
      item.log->listener_->on_durable(*item.log);
    }
  }
  std::erase(notifying, round);
  if (unsaved_bytes != 0) want_tick();
  finish_stop();
}

void GroupCommit::State::saved(const std::shared_ptr<Round>& round) {
  if (failed) return;
  if (any_failed(round->checkpoints)) {
    failed = true;
    return;
  }
  std::erase(checkpointing, round);
  if (any_starved(round->checkpoints)) {
    if (retry(*round)) submit_checkpoints(round);
    return;
  }
  notifying.push_back(round);
  for (CheckpointItem& item : round->checkpoints) {
    if (item.log == nullptr) continue;
    const std::uint64_t before = item.log->unsaved_bytes();
    item.log->end_checkpoint(std::move(item.job));
    unsaved_bytes -= std::min(unsaved_bytes, before - item.log->unsaved_bytes());
    for (std::string& path : item.log->take_removals()) remove_path(std::move(path));
    // What was wanted while this one was under way.
    if (item.log->dirty()) group.mark_dirty(*item.log);
  }
  for (CheckpointItem& item : round->checkpoints) {
    if (item.log != nullptr && item.log->listener_ != nullptr) {
      item.log->listener_->on_durable(*item.log);
    }
  }
  std::erase(notifying, round);
  finish_stop();
}

void GroupCommit::State::remove_path(std::string path) {
  removals.push_back(std::make_shared<FileRemoval>(std::move(path)));
  if (!removing) next_removal();
}

void GroupCommit::State::next_removal() {
  removing = !removals.empty() && !failed && !stop_done.has_value();
  if (!removing) return;
  executor.run([removal = removals.front(), &disk = environment.disk] { removal->step(disk); },
               [self = shared_from_this(), removal = removals.front()] {
                 if (removal->finished()) std::erase(self->removals, removal);
                 self->next_removal();
                 self->finish_stop();
               });
}

/// A directory that is renamed aside may come back with files of the same names.
void GroupCommit::State::cancel_removals(const std::string& directory) {
  std::erase_if(removals, [&](const std::shared_ptr<FileRemoval>& removal) {
    return removal->path().starts_with(directory + "/");
  });
}

void GroupCommit::destroy(std::unique_ptr<PartitionLog> log, Done done) {
  State& state = *state_;
  const LogIdentity identity = log->identity();
  const std::string directory = log->directory();
  remove(*log);
  log.reset();
  state.cancel_removals(directory);
  const std::string aside =
      parent_of(directory) + "/" + deleted_directory_name(identity.topic_id, identity.partition);
  auto error = std::make_shared<std::optional<Error>>();
  state.executor.run(
      [error, &environment = state.environment, directory, identity, aside] {
        Result<void> renamed = set_aside(environment.disk, directory, identity, aside);
        if (renamed) return;
        *error = renamed.error();
        environment.on_fatal(renamed.error());
      },
      [self = state.shared_from_this(), error, aside, done = std::move(done)] {
        if (error->has_value()) {
          self->failed = true;
          return;
        }
        self->remove_path(aside);
        done();
      });
}

void GroupCommit::remove_directory(std::string path) { state_->remove_path(std::move(path)); }

void GroupCommit::State::want_tick() {
  if (std::exchange(tick_wanted, true)) return;
  if (options.on_tick_wanted) options.on_tick_wanted();
}

std::optional<SteadyTime> GroupCommit::next_tick() const {
  if (!state_->tick_wanted) return std::nullopt;
  milliseconds period = state_->options.idle_checkpoint;
  for (const PartitionLog* log : state_->logs) {
    if (log->has_unsynced() && log->settings().flush_ms.has_value()) {
      period = std::min(period, std::max(*log->settings().flush_ms, milliseconds(10)));
    }
  }
  return state_->last_tick + period;
}

void GroupCommit::tick(SteadyTime now) {
  State& state = *state_;
  state.last_tick = now;
  state.tick_wanted = false;
  bool again = false;
  for (PartitionLog* log : std::vector<PartitionLog*>(state.logs)) {
    PartitionLog::GroupSlot& slot = log->group_;
    if (!log->has_unsynced()) {
      slot.unsynced_at = {};
    } else if (slot.unsynced_at == SteadyTime{}) {
      slot.unsynced_at = now;
    } else if (log->settings().flush_ms.has_value() &&
               now - slot.unsynced_at >= *log->settings().flush_ms) {
      slot.unsynced_at = {};
      slot.force_sync = true;
      mark_dirty(*log);
    }
    again = again || log->has_unsynced();
    const std::uint64_t unsaved = log->unsaved_bytes();
    if (unsaved == 0) {
      slot.seen_unsaved_bytes = 0;
      continue;
    }
    again = true;
    if (slot.seen_unsaved_bytes != unsaved) {
      slot.seen_unsaved_bytes = unsaved;
      slot.seen_at = now;
    } else if (now - slot.seen_at >= state.options.idle_checkpoint && !log->dirty()) {
      log->checkpoint_wanted_ = true;
      mark_dirty(*log);
    }
  }
  if (again) state.want_tick();
}

void GroupCommit::stop(Done done) {
  State& state = *state_;
  CHECK(!state.stop_done.has_value());
  state.stop_done = std::move(done);
  for (PartitionLog* log : std::vector<PartitionLog*>(state.logs)) mark_dirty(*log);
  state.finish_stop();
}

void GroupCommit::State::finish_stop() {
  if (!stop_done.has_value() || !*stop_done || failed || group.busy()) return;
  // A checkpoint that was under way when the stop began may have left something unsaved.
  for (PartitionLog* log : logs) {
    if (log->dirty() || log->unsaved_bytes() != 0 || log->has_unsynced()) {
      group.mark_dirty(*log);
      return;
    }
  }
  const Done done = std::exchange(*stop_done, nullptr);
  done();
}

bool GroupCommit::busy() const {
  const State& state = *state_;
  return state.flushing != nullptr || state.saving() || state.removing || !state.dirty.empty();
}

bool GroupCommit::failed() const { return state_->failed; }

}  // namespace chronik::wal
