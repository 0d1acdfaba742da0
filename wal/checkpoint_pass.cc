#include "wal/checkpoint_pass.h"

#include <algorithm>
#include <utility>

#include "wal/partition_log.h"

namespace chronik::wal {

namespace {

/// Names that are taken at once: what is to be acknowledged does not wait long behind them.
constexpr std::size_t names_at_once = 64;

}  // namespace

std::vector<PartitionLog*> longest_tails(const std::vector<PartitionLog*>& logs,
                                         std::uint64_t left_max, std::size_t count_max,
                                         bool dirty_too, std::uint64_t& bytes) {
  bytes = 0;
  std::vector<PartitionLog*> chosen;
  for (PartitionLog* log : logs) {
    bytes += log->unsaved_bytes();
    if (log->unsaved_bytes() == 0 || log->checkpoint_in_flight()) continue;
    if (dirty_too || !log->dirty()) chosen.push_back(log);
  }
  const std::size_t count = std::min(chosen.size(), count_max);
  std::partial_sort(chosen.begin(), chosen.begin() + static_cast<std::ptrdiff_t>(count),
                    chosen.end(), [](const PartitionLog* a, const PartitionLog* b) {
                      return a->unsaved_bytes() > b->unsaved_bytes();
                    });
  std::size_t taken = 0;
  for (std::uint64_t left = bytes; taken < count && left > left_max; ++taken) {
    left -= chosen[taken]->unsaved_bytes();
  }
  chosen.resize(taken);
  return chosen;
}

void CheckpointPass::begin(const std::vector<PartitionLog*>& logs) {
  CHECK(idle() && !logs.empty());
  phase_ = Phase::writing;
  left_ = logs.size();
  for (PartitionLog* log : logs) log->group_.awaited = true;
}

std::optional<CheckpointJob> CheckpointPass::take(PartitionLog& log) {
  if (!std::exchange(log.group_.awaited, false)) return std::nullopt;
  // One that is under way, with syncs of its own, does as well. What was never written may have
  // been cut since: then there is no directory either.
  if (stopped_ || log.checkpoint_in_flight() || log.unsaved_bytes() == 0) {
    --left_;
    advance();
    return std::nullopt;
  }
  log.group_.saved_behind = true;
  return log.begin_checkpoint(CheckpointKind::unsynced);
}

void CheckpointPass::write(std::vector<CheckpointItem> items) {
  const std::size_t taken = items.size();
  drop_removed(items);
  left_ -= taken - items.size();
  if (items.empty()) return advance();
  const Batch batch = std::make_shared<std::vector<CheckpointItem>>(std::move(items));
  batches_.push_back(batch);
  executor_.run(
      [batch] {
        for (CheckpointItem& item : *batch) item.job.write_unsynced();
      },
      [self = shared_from_this(), batch] { self->end_write(batch); });
}

void CheckpointPass::end_write(const Batch& batch) {
  std::erase(batches_, batch);
  left_ -= batch->size();
  failed_ = failed_ || any_failed(*batch);
  if (failed_) return hooks_.on_done();
  for (CheckpointItem& item : *batch) {
    if (item.log == nullptr) continue;
    // Out of descriptors or space, these have their turn with the next pass.
    item.job.starved() ? give_up(item) : written_.push_back(std::move(item));
  }
  if (stopped_) give_up_all();
  advance();
  hooks_.on_done();
}

void CheckpointPass::advance() {
  if (phase_ != Phase::writing || left_ != 0) return;
  drop_removed(written_);
  phase_ = written_.empty() ? Phase::idle : Phase::written;
  if (phase_ == Phase::written) hooks_.on_written();
}

void CheckpointPass::sync_begins() {
  if (phase_ == Phase::written) phase_ = Phase::syncing;
}

void CheckpointPass::sync_ended(bool done) {
  if (phase_ != Phase::syncing) return;
  if (!done) return give_up_all();
  phase_ = Phase::publishing;
  publish();
}

/// Behind a cut, or what else changed the log, the checkpoint is of something that is no more; one
/// that is asked for from now on has its turn on the disk behind the name.
void CheckpointPass::publish() {
  const auto batch = std::make_shared<std::vector<CheckpointItem>>();
  while (!written_.empty() && batch->size() < names_at_once) {
    CheckpointItem item = std::move(written_.back());
    written_.pop_back();
    if (item.log == nullptr) continue;
    if (!item.log->is_current(item.job)) {
      give_up(item);
      continue;
    }
    batch->push_back(std::move(item));
  }
  if (batch->empty()) {
    phase_ = Phase::idle;
    return;
  }
  batches_.push_back(batch);
  executor_.run(
      [batch] {
        for (CheckpointItem& item : *batch) item.job.publish_unsynced();
      },
      [self = shared_from_this(), batch] { self->end_publish(batch); });
}

void CheckpointPass::end_publish(const Batch& batch) {
  std::erase(batches_, batch);
  failed_ = failed_ || any_failed(*batch);
  if (failed_) return hooks_.on_done();
  for (CheckpointItem& item : *batch) {
    if (item.log == nullptr) continue;
    if (item.job.starved()) {
      give_up(item);
      continue;
    }
    const std::uint64_t before = item.log->unsaved_bytes();
    item.log->group_.saved_behind = false;
    item.log->end_checkpoint(std::move(item.job));
    hooks_.on_ended(*item.log, before);
  }
  publish();
  hooks_.on_done();
}

void CheckpointPass::give_up(CheckpointItem& item) {
  item.log->group_.saved_behind = false;
  item.log->drop_checkpoint(std::move(item.job));
  hooks_.on_ended(*item.log, item.log->unsaved_bytes());
}

void CheckpointPass::give_up_all() {
  for (CheckpointItem& item : std::exchange(written_, {})) {
    if (item.log != nullptr) give_up(item);
  }
  if (phase_ != Phase::writing) phase_ = Phase::idle;
}

void CheckpointPass::forget(PartitionLog& log) {
  if (std::exchange(log.group_.awaited, false)) --left_;
  const auto drop = [&](std::vector<CheckpointItem>& items) {
    for (CheckpointItem& item : items) {
      if (item.log == &log) item.log = nullptr;
    }
  };
  drop(written_);
  for (const Batch& batch : batches_) drop(*batch);
}

void CheckpointPass::stop() {
  stopped_ = true;
  if (phase_ != Phase::publishing) give_up_all();
}

}  // namespace chronik::wal
