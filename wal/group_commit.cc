#include "wal/group_commit.h"

#include <algorithm>
#include <deque>
#include <functional>

#include "base/log.h"
#include "wal/checkpoint_pass.h"
#include "wal/commit_round.h"
#include "wal/file_removal.h"
#include "wal/format.h"
#include "wal/journal_commit.h"
#include "wal/partition_deletion.h"

namespace chronik::wal {

namespace {

/// Out of descriptors or space: what even one log alone could not get is asked for again after
/// this.
constexpr milliseconds starved_pause{10};
constexpr milliseconds starved_quiet{10'000};
/// While the journal holds much: nothing between two ticks is a pause.
constexpr milliseconds filled_pause{250};

bool may_pass(const Error& error) {
  return error.code == Errc::busy || error.code == Errc::no_space;
}

/// What the page cache holds alone; not what a journal has too.
bool syncs_by_time(const PartitionLog& log) {
  const LogSettings& settings = log.settings();
  return log.has_unsynced() && settings.flush_ms.has_value() &&
         settings.flush_mode == FlushMode::page_cache;
}

}  // namespace

struct GroupCommit::State : std::enable_shared_from_this<GroupCommit::State>, WholeSyncRider {
  State(GroupCommit& owner, LogEnvironment& of_shard, IoExecutor& io, GroupCommitOptions chosen)
      : group(owner), environment(of_shard), executor(io), options(std::move(chosen)) {}
  /// What needs the object to be shared.
  void begin() {
    journal = std::make_shared<JournalCommit>(
        environment, options.behind != nullptr ? *options.behind : executor, weak_from_this(),
        [weak = weak_from_this()] {
          const std::shared_ptr<State> self = weak.lock();
          if (self == nullptr) return;
          self->failed = self->failed || self->journal->failed();
          self->finish_stop();
        });
    states =
        std::make_shared<StateCommit>(environment, executor, *journal, [weak = weak_from_this()] {
          const std::shared_ptr<State> self = weak.lock();
          if (self != nullptr) self->states_saved();
        });
    pass = std::make_shared<CheckpointPass>(executor, pass_hooks());
  }

  void start_round();
  void start_states();
  void states_saved();
  CheckpointPass::Hooks pass_hooks();
  bool ready() override;
  void sync_begins() override { pass->sync_begins(); }
  void sync_ended(bool done) override { pass->sync_ended(done); }
  void begin_pass();
  void choose_checkpoints(Round& round);
  void take(Round& round, PartitionLog& log);
  void submit_flush(const std::shared_ptr<Round>& round);
  void submit_checkpoints(const std::shared_ptr<Round>& round);
  void flushed(const std::shared_ptr<Round>& round);
  void saved(const std::shared_ptr<Round>& round);
  template <class Item>
  std::shared_ptr<Round> look_at(const std::shared_ptr<Round>& round,
                                 std::vector<Item> Round::*member);
  void begin_again(Round& round);
  void later(std::function<void()> retry);
  void run_postponed();
  void give_descriptors_back();
  void wait_for_space();
  void set_aside(const std::shared_ptr<PartitionDeletion>& deletion);
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
  std::shared_ptr<JournalCommit> journal;
  std::shared_ptr<StateCommit> states;
  std::shared_ptr<CheckpointPass> pass;
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
  /// Out of descriptors: how many logs a round tries at once, and whether it waits before it does.
  std::size_t width = no_width_limit;
  bool pause = false;
  bool flush_waits = false;  // the round that is under way, until postponed
  std::vector<std::function<void()>> postponed;
  bool starved = false;  // of descriptors or space, and said so
  SteadyTime starved_at{};
  bool tick_wanted = false;
  bool tick_hurried = false;  // it is due in filled_pause
  SteadyTime last_tick{};
  std::optional<Done> stop_done;
};

GroupCommit::GroupCommit(LogEnvironment& environment, IoExecutor& executor,
                         GroupCommitOptions options)
    : state_(std::make_shared<State>(*this, environment, executor, std::move(options))) {
  state_->begin();
}

GroupCommit::~GroupCommit() {
  for (PartitionLog* log : state_->logs) {
    state_->journal->forget(*log);
    log->group_ = {};
  }
  state_->journal->stop();
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

void GroupCommit::save_states(std::vector<StateWrite> writes, Done done) {
  state_->states->add(std::move(writes), std::move(done));
  state_->start_states();
}

/// Logs that wait for descriptors or space do not keep votes from being told.
void GroupCommit::State::start_states() {
  if (failed || (flushing != nullptr && !flush_waits)) return;
  states->begin_round(flushing == nullptr);
}

void GroupCommit::State::states_saved() {
  failed = failed || states->failed();
  if (failed) return;
  start_states();
  start_round();
  journal->pace();
  if (journal->holds_any()) want_tick();
  finish_stop();
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
  state.pass->forget(log);
  state.journal->forget(log);
  state.states->forget(log.directory());
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
  if (std::optional<CheckpointJob> job = pass->take(log)) {
    round.unsynced_checkpoints.push_back({&log, std::move(*job)});
  }
}

CheckpointPass::Hooks GroupCommit::State::pass_hooks() {
  const std::weak_ptr<State> weak = weak_from_this();
  CheckpointPass::Hooks hooks;
  hooks.on_written = [weak] {
    const std::shared_ptr<State> self = weak.lock();
    if (self != nullptr) self->journal->sync_whole();
  };
  hooks.on_ended = [weak](PartitionLog& log, std::uint64_t unsaved_before) {
    const std::shared_ptr<State> self = weak.lock();
    if (self == nullptr) return;
    const std::uint64_t saved = unsaved_before - log.unsaved_bytes();
    self->unsaved_bytes -= std::min(self->unsaved_bytes, saved);
    // What was wanted meanwhile.
    if (log.dirty()) self->group.mark_dirty(log);
  };
  hooks.on_done = [weak] {
    const std::shared_ptr<State> self = weak.lock();
    if (self == nullptr) return;
    self->failed = self->failed || self->pass->failed();
    self->finish_stop();
  };
  return hooks;
}

/// What is saved before a sync of the whole file system needs none of its own.
bool GroupCommit::State::ready() {
  if (!pass->idle()) return pass->syncs_next();
  if (unsaved_bytes <= options.unsaved_total_bytes_max / 2) return true;
  begin_pass();
  start_round();
  return pass->idle();
}

void GroupCommit::State::begin_pass() {
  const std::vector<PartitionLog*> chosen =
      longest_tails(logs, options.unsaved_total_bytes_max / 4, logs.size(), true, unsaved_bytes);
  if (chosen.empty()) return;
  pass->begin(chosen);
  for (PartitionLog* log : chosen) {
    if (!std::exchange(log->group_.queued, true)) dirty.push_back(log);
  }
}

void GroupCommit::State::start_round() {
  start_states();
  if (!failed) pass->go_on();
  if (failed || flushing != nullptr || states->in_flight() || dirty.empty()) return;
  auto round = std::make_shared<Round>();
  while (!dirty.empty() &&
         round->flushes.size() + round->checkpoints.size() + round->unsynced_checkpoints.size() <
             options.round_logs_max) {
    PartitionLog& log = *dirty.front();
    dirty.pop_front();
    take(*round, log);
  }
  choose_checkpoints(*round);
  if (!round->flushes.empty()) {
    flushing = round;
    submit_flush(round);
    return;
  }
  const bool any = !round->checkpoints.empty() || !round->unsynced_checkpoints.empty();
  pass->write(std::move(round->unsynced_checkpoints));
  if (!round->checkpoints.empty()) submit_checkpoints(round);
  if (any || !dirty.empty()) start_round();
}

/// Bounds what a restart would scan over all logs: those with the longest tails are saved.
void GroupCommit::State::choose_checkpoints(Round& round) {
  const std::uint64_t bytes_max = options.unsaved_total_bytes_max;
  if (unsaved_bytes <= bytes_max || !pass->idle()) return;
  if (journal->syncs_whole(logs.size())) return begin_pass();
  // Those with entries that this round does not take have their turn with these.
  constexpr std::size_t at_once_max = 64;
  for (PartitionLog* log :
       longest_tails(logs, bytes_max / 4 * 3, at_once_max, false, unsaved_bytes)) {
    round.checkpoints.push_back({log, log->begin_checkpoint()});
  }
}

void GroupCommit::State::submit_flush(const std::shared_ptr<Round>& round) {
  drop_removed(round->flushes);
  round->width = width;
  flush_waits = false;
  journal->plan(*round);
  executor.run(
      [round, &disk = environment.disk, space = environment.space] { round->flush(disk, space); },
      [self = shared_from_this(), round] { self->flushed(round); });
}

void GroupCommit::State::submit_checkpoints(const std::shared_ptr<Round>& round) {
  drop_removed(round->checkpoints);
  round->width = width;
  checkpointing.push_back(round);
  executor.run([round, &disk = environment.disk] { round->save(disk); },
               [self = shared_from_this(), round] { self->saved(round); });
}

/// What has come to its end, and how the next attempt is made. Out of descriptors, it holds fewer
/// files at once. It waits where nothing is left to give back, or the disk is full.
template <class Item>
std::shared_ptr<Round> GroupCommit::State::look_at(const std::shared_ptr<Round>& round,
                                                   std::vector<Item> Round::*member) {
  std::vector<Item>& items = (*round).*member;
  const std::size_t tried = round->tried(items).size();
  pause = false;
  if (any_disk_full(items)) {
    pause = true;
    wait_for_space();
  } else if (any_starved(items)) {
    pause = tried <= 1 && environment.files.count() == 0;
    width = std::max<std::size_t>(tried / 2, 1);
    give_descriptors_back();
  } else if (width < no_width_limit / 2) {
    width *= 2;
  }
  return take_finished(round, member);
}

void GroupCommit::State::give_descriptors_back() {
  environment.files.shrink();
  starved_at = last_tick;
  want_tick();
  if (std::exchange(starved, true)) return;
  log_error("no file descriptors left for the logs: what was taken waits until it can be written",
            {{"advice", "raise the limit of open files (ulimit -n, LimitNOFILE=)"}});
}

void GroupCommit::State::wait_for_space() {
  starved_at = last_tick;
  want_tick();
  if (std::exchange(starved, true)) return;
  log_error("the disk is full: what was taken waits until it can be written",
            {{"advice", "free some space"}});
}

void GroupCommit::State::flushed(const std::shared_ptr<Round>& round) {
  if (failed) return;
  if (any_failed(round->flushes)) {
    failed = true;
    return;
  }
  journal->took(*round);
  const std::uint64_t lsn = round->frame ? round->frame->number.lsn : 0;
  const std::shared_ptr<Round> finished = look_at(round, &Round::flushes);
  for (FlushItem& item : finished->flushes) {
    unsaved_bytes += item.job.bytes();
    if (item.log == nullptr) continue;
    const bool journaled = item.job.journaled();
    item.log->end_flush(std::move(item.job));
    journal->flushed(*item.log, journaled, lsn);
  }
  notifying.push_back(finished);
  if (finished != round && !round->flushes.empty()) {
    for (FlushItem& item : round->flushes) item.job.release_files();
    flush_waits = pause;
    pause ? later([this, round] { submit_flush(round); }) : submit_flush(round);
    start_states();
  } else {
    flushing.reset();
    ++environment.counters.flushes;
    pass->write(std::move(round->unsynced_checkpoints));
    if (!round->checkpoints.empty()) submit_checkpoints(round);
    // The disk goes on before the acknowledgements are written.
    start_round();
    journal->pace();
  }
  for (FlushItem& item : finished->flushes) {
    if (item.log != nullptr && item.log->listener_ != nullptr) {
      item.log->listener_->on_durable(*item.log);
    }
  }
  std::erase(notifying, finished);
  if (unsaved_bytes != 0 || journal->holds_any()) want_tick();
  finish_stop();
}

void GroupCommit::State::saved(const std::shared_ptr<Round>& round) {
  if (failed) return;
  if (any_failed(round->checkpoints)) {
    failed = true;
    return;
  }
  std::erase(checkpointing, round);
  const std::shared_ptr<Round> finished = look_at(round, &Round::checkpoints);
  if (finished != round) begin_again(*round);
  notifying.push_back(finished);
  for (CheckpointItem& item : finished->checkpoints) {
    if (item.log == nullptr) continue;
    const std::uint64_t before = item.log->unsaved_bytes();
    item.log->end_checkpoint(std::move(item.job));
    unsaved_bytes -= std::min(unsaved_bytes, before - item.log->unsaved_bytes());
    journal->checkpointed(*item.log);
    for (std::string& path : item.log->take_removals()) remove_path(std::move(path));
    // What was wanted while this one was under way.
    if (item.log->dirty()) group.mark_dirty(*item.log);
  }
  for (CheckpointItem& item : finished->checkpoints) {
    if (item.log != nullptr && item.log->listener_ != nullptr) {
      item.log->listener_->on_durable(*item.log);
    }
  }
  std::erase(notifying, finished);
  finish_stop();
}

/// A checkpoint that starved would overtake a truncation that was asked for behind it, if the same
/// job were run once more: a new one takes its turn.
void GroupCommit::State::begin_again(Round& round) {
  for (CheckpointItem& item : round.checkpoints) item.log->give_up_checkpoint(std::move(item.job));
  const auto mark = [this] {
    for (PartitionLog* log : std::vector<PartitionLog*>(logs)) {
      if (log->checkpoint_due()) group.mark_dirty(*log);
    }
  };
  pause ? later(mark) : mark();
}

void GroupCommit::State::later(std::function<void()> retry) {
  if (stop_done.has_value()) return retry();  // there are no more ticks
  postponed.push_back(std::move(retry));
  if (options.on_tick_wanted) options.on_tick_wanted();
}

void GroupCommit::State::run_postponed() {
  if (failed) return;
  for (const std::function<void()>& retry : std::exchange(postponed, {})) retry();
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
                 removal->starved() ? self->later([state = self.get()] { state->next_removal(); })
                                    : self->next_removal();
                 self->finish_stop();
               });
}

bool GroupCommit::works_on(const PartitionLog& log) const {
  if (log.flush_in_flight() || log.checkpoint_in_flight()) return true;
  if (state_->journal->works_on(log)) return true;
  return std::ranges::any_of(state_->removals, [&](const auto& removal) {
    return removal->path().starts_with(log.directory() + "/");
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
  auto deletion = std::make_shared<PartitionDeletion>();
  deletion->identity = log->identity();
  deletion->directory = log->directory();
  deletion->done = std::move(done);
  remove(*log);
  log.reset();
  state.cancel_removals(deletion->directory);
  state.set_aside(deletion);
}

void GroupCommit::State::set_aside(const std::shared_ptr<PartitionDeletion>& deletion) {
  executor.run(
      [deletion, &environment = environment] {
        deletion->error.reset();
        const Result<void> renamed = deletion->run(environment.disk);
        if (renamed) return;
        deletion->error = renamed.error();
        if (!may_pass(renamed.error())) environment.on_fatal(renamed.error());
      },
      [self = shared_from_this(), deletion] {
        if (!deletion->error.has_value()) {
          if (deletion->renamed) self->remove_path(deletion->aside);
          deletion->done();
        } else if (may_pass(*deletion->error)) {
          deletion->error->code == Errc::busy ? self->give_descriptors_back()
                                              : self->wait_for_space();
          self->later([state = self.get(), deletion] { state->set_aside(deletion); });
        } else {
          self->failed = true;
        }
      });
}

void GroupCommit::remove_directory(std::string path) { state_->remove_path(std::move(path)); }

void GroupCommit::State::want_tick() {
  const bool is_sooner = journal->holds_much() && !std::exchange(tick_hurried, true);
  if (std::exchange(tick_wanted, true) && !is_sooner) return;
  if (options.on_tick_wanted) options.on_tick_wanted();
}

std::optional<SteadyTime> GroupCommit::next_tick() const {
  if (!state_->tick_wanted && state_->postponed.empty()) return std::nullopt;
  milliseconds period = state_->options.idle_checkpoint;
  if (!state_->postponed.empty()) period = std::min(period, starved_pause);
  if (state_->journal->holds_much()) period = std::min(period, filled_pause);
  for (const PartitionLog* log : state_->logs) {
    if (syncs_by_time(*log)) {
      period = std::min(period, std::max(*log->settings().flush_ms, milliseconds(10)));
    }
  }
  return state_->last_tick + period;
}

void GroupCommit::tick(SteadyTime now) {
  State& state = *state_;
  state.last_tick = now;
  state.tick_wanted = state.tick_hurried = false;
  state.run_postponed();
  state.journal->tick();
  if (!state.failed) state.pass->go_on();
  bool again = state.starved || state.journal->holds_any();
  if (state.starved && now - state.starved_at > starved_quiet) {
    state.starved = false;
    state.width = no_width_limit;
    log_info("the logs are written again");
  }
  for (PartitionLog* log : std::vector<PartitionLog*>(state.logs)) {
    GroupSlot& slot = log->group_;
    if (!log->has_unsynced()) {
      slot.unsynced_at = {};
    } else if (slot.unsynced_at == SteadyTime{}) {
      slot.unsynced_at = now;
    } else if (syncs_by_time(*log) && now - slot.unsynced_at >= *log->settings().flush_ms) {
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
  state.journal->stop();
  state.pass->stop();
  state.run_postponed();
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
  return state.flushing != nullptr || state.saving() || state.removing || !state.dirty.empty() ||
         state.states->waiting() || state.states->in_flight() || state.journal->busy() ||
         state.pass->busy();
}

bool GroupCommit::failed() const { return state_->failed; }

}  // namespace chronik::wal
