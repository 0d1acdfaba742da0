#include "wal/journal_commit.h"

#include <algorithm>
#include <limits>

#include "base/log.h"

namespace chronik::wal {

namespace {

/// From here on segments are synced, so that the oldest file is free before the last one is full.
/// The later, the more each sync covers.
constexpr double fullness_wanted = 0.7;
/// With less, a burst of the usual size does not come upon the sync that makes room.
constexpr double fullness_of_much = 0.125;
/// Beside half of a round's bytes; others may have so much to be synced.
constexpr std::uint64_t foreign_bytes_max = 1u << 20;
/// A sync of a round by one call is slow when it takes longer than this, and longer than the
/// round's bytes take at this speed. Then so many rounds have the journal before it is tried again.
constexpr std::chrono::milliseconds slow_sync{50};
constexpr std::uint64_t slow_bytes_per_us = 100;
constexpr std::uint64_t rounds_to_pass_min = 100;
constexpr std::uint64_t rounds_to_pass_max = 10'000;

}  // namespace

void JournalCommit::plan(Round& round) {
  round.frame.reset();
  const std::span<FlushItem> items = round.tried(round.flushes);
  for (FlushItem& item : items) item.job.set_journaled(false);
  Journal* const journal = environment_.journal;
  if (journal == nullptr) return;
  const std::uint64_t released = this->released();
  std::erase_if(ended_, [&](const auto& ended) { return ended.second <= journal->released(); });
  for (FlushItem& item : items) {
    if (item.job.begins_log() && ended_.contains(item.job.directory())) item.job.begin_with_mark();
  }
  round.at_once = {};
  if (stopped_) return;
  round.at_once = choose_sync(items);
  if (round.at_once.file_system != nullptr) return;
  const JournalOptions& options = journal->options();
  std::vector<FlushItem*> chosen;
  std::uint64_t bytes = JournalFrameBuilder::header_bytes;
  for (FlushItem& item : items) {
    const std::string_view directory = item.job.directory();
    if (!item.job.journalable() || !journal->serves(directory)) continue;
    // A checkpoint that follows counts on the sync of what it describes, if it has none of its own.
    if (item.log->checkpoint_in_flight() && !item.log->group_.saved_behind) continue;
    if (item.job.bytes() > options.append_bytes_max) continue;
    const std::uint64_t added = JournalFrameBuilder::bytes_of(
        directory.substr(directory.find_last_of('/') + 1), item.job.bytes());
    if (bytes + added > options.file_bytes) continue;
    bytes += added;
    chosen.push_back(&item);
  }
  if (chosen.size() < options.logs_min) return;
  round.frame = journal->place(bytes, released);
  round.frame_bytes = bytes;
  if (!round.frame) {
    ++environment_.counters.journal_full;
    round.frame = journal->place_of_release(released);
    round.frame_bytes = JournalFrameBuilder::header_bytes;
    return;
  }
  for (FlushItem* item : chosen) {
    item->job.set_journaled(true);
    item->log->group_.last_frame = round.frame->number.lsn;
  }
}

/// Large appends of many logs are better written once.
SyncAtOnce JournalCommit::choose_sync(std::span<const FlushItem> items) {
  const JournalOptions& options = environment_.journal->options();
  SyncAtOnce chosen{environment_.journal->round_sync(), 0, {}};
  if (chosen.file_system == nullptr) return {};
  std::size_t logs = 0;
  for (const FlushItem& item : items) {
    if (!item.job.journalable()) continue;
    ++logs;
    chosen.bytes += item.job.bytes();
  }
  if (logs < options.round_sync_logs_min) return {};
  if (chosen.bytes / logs < options.round_sync_append_bytes_min) return {};
  if (rounds_until_at_once_ != 0) {
    --rounds_until_at_once_;
    return {};
  }
  // What others have written to that file system, other nodes say, would have to be waited for.
  const std::uint64_t held = held_bytes();
  const std::uint64_t unsynced = chosen.file_system->unsynced_bytes();
  if (unsynced > held + chosen.bytes / 2 + foreign_bytes_max) return {};
  chosen.bytes += held;
  return chosen;
}

/// Of frames that are still needed: so much of the segments is not synced.
std::uint64_t JournalCommit::held_bytes() {
  const std::uint64_t released = this->released();
  while (!frames_.empty() && frames_.front().first <= released) {
    held_bytes_ -= frames_.front().second;
    frames_.pop_front();
  }
  return held_bytes_;
}

void JournalCommit::took(const Round& round) {
  if (round.frame && round.frame_synced) take_frame(*round.frame, round.frame_bytes);
  const SyncAtOnce& at_once = round.at_once;
  if (!at_once.took) return;
  ++environment_.counters.flushes_at_once;
  // The file system may hold what others have written to it, which must not be waited for again
  // and again.
  const auto expected = slow_sync + std::chrono::microseconds(at_once.bytes / slow_bytes_per_us);
  if (*at_once.took <= expected) {
    rounds_to_pass_ = 0;
    return;
  }
  rounds_to_pass_ = std::clamp(2 * rounds_to_pass_, rounds_to_pass_min, rounds_to_pass_max);
  rounds_until_at_once_ = rounds_to_pass_;
}

std::optional<FramePlace> JournalCommit::place_for(const std::vector<StateWrite>& states,
                                                   std::uint64_t& bytes) {
  Journal* const journal = environment_.journal;
  if (journal == nullptr || stopped_ || states.size() < journal->options().logs_min) {
    return std::nullopt;
  }
  bytes = JournalFrameBuilder::header_bytes;
  for (const StateWrite& state : states) {
    if (!state.small || !journal->serves(state.directory)) return std::nullopt;
    bytes += JournalFrameBuilder::bytes_of(state.directory_name(), state.bytes.size());
  }
  std::optional<FramePlace> place = journal->place(bytes, released());
  if (!place) ++environment_.counters.journal_full;
  return place;
}

void JournalCommit::take_frame(const FramePlace& frame, std::uint64_t bytes) {
  environment_.journal->taken(frame, bytes);
  frames_.emplace_back(frame.number.lsn, bytes);
  held_bytes_ += bytes;
  held_bytes();
  ++environment_.counters.journal_frames;
  environment_.counters.journal_bytes += bytes;
}

void JournalCommit::flushed(PartitionLog& log, bool journaled, std::uint64_t lsn) {
  if (environment_.journal == nullptr) return;
  if (!journaled) {
    const auto found = slots_.find(&log);
    if (found == slots_.end()) return;
    found->second.from = found->second.next = 0;
    if (!found->second.syncing) slots_.erase(found);
    return;
  }
  ++environment_.counters.journaled_logs;
  Slot& slot = slots_[&log];
  std::uint64_t& first = slot.syncing ? slot.next : slot.from;
  if (first != 0) return;
  first = lsn;
  waiting_.push_back({lsn, &log});
}

void JournalCommit::checkpointed(PartitionLog& log) {
  // Behind a cut that is not durable yet the log of before may need them.
  if (!log.has_unsynced() && !log.cut_pending()) flushed(log, false, 0);
}

void JournalCommit::forget(PartitionLog& log) {
  if (log.group_.last_frame != 0) ended_[log.directory()] = log.group_.last_frame;
  const auto found = slots_.find(&log);
  if (found == slots_.end()) return;
  const Slot slot = found->second;
  const std::uint64_t first = slot.from != 0 ? slot.from : slot.next;
  const auto file = log.unsynced_file();
  if (first != 0 && file) files_.add(file->path, first);
  slots_.erase(found);
  if (syncing_ == nullptr) return;
  for (SyncItem& item : syncing_->items) {
    if (item.log == &log) item.log = nullptr;
  }
}

bool JournalCommit::waits(const Waiting& waiting) const {
  const auto found = slots_.find(waiting.log);
  return found != slots_.end() &&
         (found->second.from == waiting.lsn || found->second.next == waiting.lsn);
}

/// The segments have all frames up to it, synced.
std::uint64_t JournalCommit::released() {
  while (!waiting_.empty() && !waits(waiting_.front())) waiting_.pop_front();
  std::uint64_t first =
      waiting_.empty() ? environment_.journal->last_lsn() + 1 : waiting_.front().lsn;
  return std::min(first, files_.first().value_or(first)) - 1;
}

void JournalCommit::pace() {
  if (environment_.journal == nullptr || stopped_ || failed_) return;
  make_file();
  sync_oldest();
}

void JournalCommit::tick() {
  if (environment_.journal == nullptr) return;
  Journal& journal = *environment_.journal;
  journal.try_again();
  pace();
  const bool is_quiet = journal.last_lsn() == lsn_at_tick_;
  lsn_at_tick_ = journal.last_lsn();
  if (is_quiet && holds_any() && !stopped_ && !failed_) sync_waiting();
}

bool JournalCommit::holds_much() {
  return holds_any() && environment_.journal->fullness(released()) >= fullness_of_much;
}

void JournalCommit::make_file() {
  Journal& journal = *environment_.journal;
  if (making_) return;
  const std::optional<std::string> path = journal.wanted_file(released());
  if (!path) return;
  making_ = true;
  auto made = std::make_shared<Result<std::shared_ptr<File>>>(Error{Errc::closed, ""});
  executor_.run([made, &journal, path = *path] { *made = journal.make_file(path); },
                [self = shared_from_this(), made, &journal] {
                  self->making_ = false;
                  const bool passes = *made || made->error().code == Errc::no_space ||
                                      made->error().code == Errc::busy;
                  if (!passes) {
                    self->environment_.on_fatal(made->error());
                    self->failed_ = true;
                  } else {
                    journal.end_file(std::move(*made));
                  }
                  self->on_done_();
                });
}

Result<void> JournalCommit::SyncJob::sync(Disk& disk) {
  if (whole != nullptr) {
    TRY(whole->sync());
    return {};
  }
  SyncBatch batch;
  const auto add = [&](const std::string& path) -> Result<void> {
    Result<std::shared_ptr<File>> file = disk.open(path, OpenMode::read_write);
    if (file) {
      // All begin before the first one is waited for.
      (*file)->start_writeback(0, std::numeric_limits<std::int64_t>::max());
      batch.files.push_back(std::move(*file));
    } else if (file.error().code != Errc::not_found) {
      return std::move(file).error();
    }
    // What is gone was removed by a cut or a deletion, which is durable.
    return {};
  };
  for (const SyncItem& item : items) TRY(add(item.file.path));
  for (const std::string& path : files) TRY(add(path));
  return disk.sync_all(batch);
}

void JournalCommit::SyncJob::run(LogEnvironment& environment) {
  const Result<void> result = sync(environment.disk);
  done = result.has_value();
  if (done || result.error().code == Errc::busy) return;
  failed = true;
  environment.on_fatal(result.error());
}

void JournalCommit::sync_oldest() {
  if (environment_.journal->fullness(released()) >= fullness_wanted) sync_waiting();
}

bool JournalCommit::syncs_whole(std::size_t logs) const {
  const Journal* const journal = environment_.journal;
  return journal != nullptr && !stopped_ && !failed_ && journal->file_system_sync() != nullptr &&
         logs >= journal->options().file_system_sync_logs_min;
}

void JournalCommit::sync_whole() {
  whole_wanted_ = true;
  sync_waiting();
}

void JournalCommit::sync_waiting() {
  if (syncing_ != nullptr || stopped_ || failed_) return;
  const bool all = whole_wanted_ || syncs_whole(files_.size() + slots_.size());
  const std::shared_ptr<WholeSyncRider> rider = rider_.lock();
  if (all && (rider == nullptr || (!whole_wanted_ && !rider->ready()))) return;
  const Journal& journal = *environment_.journal;
  const std::shared_ptr<SyncJob> job = begin_sync(all ? std::numeric_limits<std::size_t>::max()
                                                      : journal.options().writeback_logs_max);
  if (!whole_wanted_ && job->items.empty() && job->files.empty()) return;
  whole_wanted_ = false;
  if (all) {
    job->whole = journal.file_system_sync();
    rider->sync_begins();
  }
  syncing_ = job;
  executor_.run([job, &environment = environment_] { job->run(environment); },
                [self = shared_from_this()] { self->end_sync(); });
}

/// Of those that wait the first ones.
std::shared_ptr<JournalCommit::SyncJob> JournalCommit::begin_sync(std::size_t count_max) {
  auto job = std::make_shared<SyncJob>();
  job->files = files_.begin_sync(count_max);
  for (const Waiting& waiting : waiting_) {
    if (job->items.size() + job->files.size() >= count_max) break;
    if (!waits(waiting)) continue;
    PartitionLog& log = *waiting.log;
    Slot& slot = slots_[&log];
    const auto file = log.unsynced_file();
    if (slot.syncing || log.cut_pending() || !file) continue;
    slot.syncing = true;
    job->items.push_back({&log, *file});
  }
  return job;
}

void JournalCommit::end_sync() {
  const std::shared_ptr<SyncJob> job = std::exchange(syncing_, nullptr);
  failed_ = failed_ || job->failed;
  for (const SyncItem& item : job->items) {
    if (item.log == nullptr) continue;
    const auto found = slots_.find(item.log);
    if (found == slots_.end()) continue;
    Slot& slot = found->second;
    slot.syncing = false;
    if (job->done) {
      slot.from = slot.next;
      slot.next = 0;
      item.log->end_sync(item.file);
      ++environment_.counters.journal_releases;
    } else if (slot.from == 0) {
      slot.from = std::exchange(slot.next, 0);
    } else {
      slot.next = 0;
    }
    if (slot.from == 0) slots_.erase(found);
  }
  files_.end_sync(job->files, job->done);
  const std::shared_ptr<WholeSyncRider> rider = rider_.lock();
  if (job->whole != nullptr && rider != nullptr) rider->sync_ended(job->done);
  if (whole_wanted_) sync_waiting();
  // Out of descriptors it has its turn behind the next round.
  if (job->done) pace();
  on_done_();
}

bool JournalCommit::works_on(const PartitionLog& log) const {
  if (syncing_ == nullptr) return false;
  const std::string directory = log.directory() + "/";
  return std::ranges::any_of(
             syncing_->items,
             [&](const SyncItem& item) { return item.file.path.starts_with(directory); }) ||
         std::ranges::any_of(syncing_->files,
                             [&](const std::string& path) { return path.starts_with(directory); });
}

}  // namespace chronik::wal
