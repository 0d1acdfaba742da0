#include "broker/partition/log_cleaner.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "broker/runtime/on.h"
#include "broker/runtime/task.h"

namespace chronik::broker {

LogCleaner::LogCleaner(Shards& shards, std::vector<Partitions*> partitions,
                       BackgroundThread& background, OptionsNow options, Random random)
    : shards_(shards),
      partitions_(std::move(partitions)),
      background_(background),
      options_(std::move(options)),
      random_(random),
      rest_timer_(shards.first().timers(), [this] {
        if (resting_.has_value()) resting_->try_set();
      }) {}

void LogCleaner::start() { CHECK(spawn(loop(), running_)); }

Task<void> LogCleaner::stop() {
  stopping_ = true;
  if (resting_.has_value()) resting_->try_set();
  Future<void> ended = running_.close();
  co_await ended;
}

Task<void> LogCleaner::loop() {
  while (!stopping_) {
    Task<bool> cleaning = clean_one();
    const bool cleaned = co_await std::move(cleaning);
    if (cleaned || stopping_) continue;
    resting_.emplace();
    Future<void> rested = resting_->future();
    rest_timer_.arm_at(shards_.first().now() + options_().backoff);
    co_await rested;
    rest_timer_.cancel();
    resting_.reset();
    put_off_.clear();
  }
}

/// True when a log wanted a run, so that another one may want one too.
Task<bool> LogCleaner::clean_one() {
  Candidate best;
  std::uint32_t where = 0;
  for (std::uint32_t id = 0; id < partitions_.size() && !stopping_; ++id) {
    auto look = [this, id] { return filthiest_of(id); };
    auto hop = on(shards_.at(id), look);
    const Candidate found = co_await hop;
    if (found.dirty_ratio <= best.dirty_ratio) continue;
    best = found;
    where = id;
  }
  if (best.dirty_ratio < 0 || stopping_) co_return false;
  const std::uint64_t seed = random_.next();
  auto work = [this, where, best, seed] { return clean(where, best, seed); };
  auto hop = on(shards_.at(where), work);
  const bool cleaned = co_await hop;
  if (!cleaned) put_off_.push_back(best);
  co_return true;
}

LogCleaner::Candidate LogCleaner::filthiest_of(std::uint32_t shard) {
  Partitions& partitions = *partitions_[shard];
  const Timestamp now = partitions.retention_now();
  Candidate best;
  partitions.for_each([&](Partition& partition) {
    const wal::Cleanable cleanable = partition.cleanable(now);
    if (!wal::wants_compaction(cleanable, partition.log().settings())) return;
    if (cleanable.dirty_ratio() <= best.dirty_ratio) return;
    const wal::LogIdentity& identity = partition.identity();
    const Candidate found{identity.topic_id, identity.partition, cleanable.dirty_ratio()};
    const bool waits = std::any_of(put_off_.begin(), put_off_.end(),
                                   [&](const Candidate& log) { return log.same_log(found); });
    if (!waits) best = found;
  });
  return best;
}

/// On the log's shard.
Task<bool> LogCleaner::clean(std::uint32_t shard, Candidate candidate, std::uint64_t seed) {
  Partitions& partitions = *partitions_[shard];
  Partition* partition = partitions.find(candidate.topic_id, candidate.partition);
  const Timestamp now = partitions.retention_now();
  if (partition == nullptr || partition->cleanable(now).dirty_bytes == 0) co_return false;
  const SteadyTime began = shards_.at(shard).now();
  auto run = std::make_shared<Run>();
  run->job = partition->begin_compaction(options_().limits, now, seed);
  while (run->more) {
    Task<void> slice = work_on(&shards_.at(shard), run);
    co_await std::move(slice);
    // The topic may have been deleted; what was written goes with its directory.
    if (partitions.find(candidate.topic_id, candidate.partition) != partition) co_return true;
    if (stopping_ || partition->is_joining()) {
      run->job.cancel();
      continue;
    }
    Task<void> throttle = wait_for_allowance(&shards_.at(shard), run->job.moved_bytes(), began);
    co_await std::move(throttle);
    if (partitions.find(candidate.topic_id, candidate.partition) != partition) co_return true;
  }
  const bool done = settle(*partition, std::move(run->job), began);
  co_return done;
}

/// One slice, on the background thread.
Task<void> LogCleaner::work_on(Shard* shard, std::shared_ptr<Run> run) {
  auto promise = std::make_shared<Promise<void>>();
  Future<void> done = promise->future();
  background_.run(
      *shard, [run] { run->more = run->job.step(); }, [promise] { promise->set(); });
  co_await done;
}

/// Until the run may have moved so many bytes.
Task<void> LogCleaner::wait_for_allowance(Shard* shard, std::uint64_t bytes, SteadyTime since) {
  constexpr milliseconds look_again{100};
  for (;;) {
    const double allowed = options_().bytes_per_second_max;
    if (stopping_ || !(allowed > 0)) co_return;
    const std::chrono::duration<double> elapsed = shard->now() - since;
    const double ahead_s = static_cast<double>(bytes) / allowed - elapsed.count();
    if (ahead_s <= 0) co_return;
    const double wait_ms = std::min(ahead_s * 1000, static_cast<double>(look_again.count()));
    Task<void> wait = delay(milliseconds(static_cast<std::int64_t>(wait_ms) + 1));
    co_await std::move(wait);
  }
}

bool LogCleaner::settle(Partition& partition, wal::CompactionJob job, SteadyTime began) {
  const wal::LogIdentity& identity = partition.identity();
  const Result<wal::CompactionReport> report = partition.end_compaction(std::move(job));
  if (report) {
    const auto took = std::chrono::duration_cast<milliseconds>(
        shards_.at(shard_of(identity.topic_id, identity.partition, shards_.count())).now() - began);
    log_info("a log is compacted", {{"topic", identity.topic},
                                    {"partition", identity.partition},
                                    {"bytes_before", report->bytes_before},
                                    {"bytes_after", report->bytes_after},
                                    {"segments_before", report->segments_before},
                                    {"segments_after", report->segments_after},
                                    {"records_read", report->records_read},
                                    {"records_kept", report->records_kept},
                                    {"first_dirty_offset", report->first_dirty_offset},
                                    {"took_ms", took.count()}});
    return true;
  }
  const Errc code = report.error().code;
  if (code == Errc::closed) return false;
  const bool for_good = !wal::LogCompaction(partition.log()).refused().empty();
  log_error(for_good ? "a log cannot be compacted: it is left as it is until the next start"
                     : "a log could not be compacted: it is tried again",
            {{"topic", identity.topic},
             {"partition", identity.partition},
             {"why", report.error().message}});
  return false;
}

}  // namespace chronik::broker
