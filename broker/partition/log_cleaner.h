// LogCleaner: compacts the logs whose cleanup.policy has "compact", as Kafka's LogCleaner does: the
// filthiest log of the broker first, one run at a time, a rest of log.cleaner.backoff.ms when no
// log wants one. A log whose run failed waits for the next rest to be over, so that it keeps no
// other one from its turn. The decisions are in wal/compaction_plan.h, the work in
// wal/compaction_job.h; it is done slice by slice on the BackgroundThread, no faster than
// log.cleaner.io.max.bytes.per.second.
//
// Made, started and stopped on the first shard; asks the others where their partitions are.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/uuid.h"
#include "broker/partition/partitions.h"
#include "broker/runtime/background_thread.h"
#include "broker/runtime/gate.h"
#include "broker/runtime/shard.h"
#include "broker/runtime/timer.h"
#include "wal/compaction_job.h"

namespace chronik::broker {

/// The log.cleaner.* settings.
struct LogCleanerOptions {
  milliseconds backoff{15'000};
  double bytes_per_second_max = 0.0;  // 0: as fast as it goes
  wal::CompactionLimits limits;
};

class LogCleaner {
 public:
  using OptionsNow = std::function<LogCleanerOptions()>;

  /// `partitions` by shard. All arguments outlive the object; `options` is called on any shard.
  LogCleaner(Shards& shards, std::vector<Partitions*> partitions, BackgroundThread& background,
             OptionsNow options, Random random);
  LogCleaner(const LogCleaner&) = delete;
  LogCleaner& operator=(const LogCleaner&) = delete;

  void start();
  /// Gives a run under way up; done when nothing of it runs any more. Once, after start().
  Task<void> stop();

 private:
  /// The log of a shard that wants a run most.
  struct Candidate {
    Uuid topic_id;
    PartitionId partition = 0;
    double dirty_ratio = -1.0;

    bool same_log(const Candidate& other) const {
      return topic_id == other.topic_id && partition == other.partition;
    }
  };
  /// A run as both its shard and the background thread hold it.
  struct Run {
    wal::CompactionJob job;
    bool more = true;
  };

  Task<void> loop();
  Task<bool> clean_one();
  Candidate filthiest_of(std::uint32_t shard);
  Task<bool> clean(std::uint32_t shard, Candidate candidate, std::uint64_t seed);
  Task<void> work_on(Shard* shard, std::shared_ptr<Run> run);
  Task<void> wait_for_allowance(Shard* shard, std::uint64_t bytes, SteadyTime since);
  bool settle(Partition& partition, wal::CompactionJob job, SteadyTime began);

  Shards& shards_;
  const std::vector<Partitions*> partitions_;
  BackgroundThread& background_;
  const OptionsNow options_;
  Random random_;
  Gate running_;
  std::atomic<bool> stopping_ = false;
  /// Failed since the last rest. Changes only while no shard looks for a candidate.
  std::vector<Candidate> put_off_;
  std::optional<Promise<void>> resting_;
  Timer rest_timer_;
};

}  // namespace chronik::broker
