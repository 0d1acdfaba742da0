// CompactionTorture: appends keyed records to partition logs on a fake disk, compacts them slice by
// slice between everything else, lets the process or the machine die at a random operation, starts
// again, and compares with what was appended. After any crash: what was acknowledged is there up to
// the end; a record is missing only where compaction may have removed it (a later one of its key
// was there, or it is a tombstone whose time was over); and what was durably removed never comes
// back. One seed, one thread, the same run every time. Tests and test programs only.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "wal/compaction_model.h"
#include "wal/group_commit.h"
#include "wal/offset_map.h"
#include "wal/torture_process.h"

namespace chronik::wal::testing {

class CompactionTorture final : public DurableListener {
 public:
  CompactionTorture(std::uint64_t seed, TortureCounts& counts) : random_(seed), counts_(counts) {
    CHECK(disk_.make_directories("/data"));
  }

  void set_trace(std::function<void(DiskOperation, const std::string&)> trace) {
    disk_.set_hook(std::move(trace));
  }

  /// One life of the process: start, random work, end. Returns what went wrong, or nothing.
  std::string live() {
    ++counts_.lives;
    if (start() && problem_.empty()) {
      if (!random_.one_in(4)) disk_.power_off_after(random_.below(150));
      for (std::uint64_t i = 10 + random_.below(120); i > 0 && going(); --i) act();
      if (going() && random_.one_in(4)) stop_cleanly();
    }
    if (problem_.empty()) die();
    return problem_;
  }

  void on_durable(PartitionLog& log) override {
    for (Partition& partition : partitions_) {
      if (partition.log.get() != &log) continue;
      if (fatal_) fail("acknowledged after the disk failed");
      partition.model.on_durable(log);
    }
  }

 private:
  struct Partition {
    CompactionModel model;
    std::vector<Offset> producer_ends;  // the last offsets of its batches
    LastSequences derived;
    std::unique_ptr<PartitionLog> log;
    CompactionJob job;
  };

  bool dead() const { return fatal_ || disk_.struck(); }
  bool going() const { return problem_.empty() && !dead(); }
  void fail(std::string problem) {
    if (problem_.empty() && !problem.empty()) problem_ = std::move(problem);
  }

  SharedLogSettings random_settings() {
    auto settings = std::make_shared<LogSettings>();
    settings->segment_bytes = 300 + random_.below(3000);
    settings->index_interval_bytes = static_cast<std::uint32_t>(80 + random_.below(500));
    settings->compact = true;
    settings->delete_old = false;
    settings->min_cleanable_dirty_ratio = 0;
    settings->delete_retention = CompactionModel::delete_retention;
    return settings;
  }

  bool start() {
    environment_ = std::make_unique<LogEnvironment>(disk_, 3 + random_.below(10));
    environment_->on_fatal = [this](const Error&) { fatal_ = true; };
    fatal_ = false;
    GroupCommitOptions options;
    options.unsaved_log_bytes_max = 300 + random_.below(4000);
    options.unsaved_total_bytes_max = 1000 + random_.below(8000);
    options.idle_checkpoint = milliseconds(20);
    group_ = std::make_unique<GroupCommit>(*environment_, executor_, options);
    if (random_.one_in(5)) disk_.power_off_after(random_.below(12));
    for (std::size_t i = 0; i < partitions_.size(); ++i) {
      Partition& partition = partitions_[i];
      const auto number = static_cast<PartitionId>(i);
      auto opened = PartitionLog::open(*environment_, fmt::format("/data/t-{}", i),
                                       {"t", number, test_topic_id(i + 1)}, random_settings(),
                                       &partition.derived);
      if (!opened) {
        if (!disk_.struck()) fail("the start is refused: " + opened.error().message);
        ++counts_.recoveries_cut;
        return false;
      }
      partition.log = std::move(*opened);
      partition.log->set_listener(this);
      group_->add(*partition.log);
      fail(partition.model.recovered(*partition.log));
      if (problem_.empty()) check_producer(partition);
      if (!problem_.empty()) return false;
    }
    return true;
  }

  void check(Partition& partition) {
    const std::string problem = partition.model.compare(*partition.log);
    if (!disk_.struck()) fail(problem);
  }

  void check_producer(Partition& partition) {
    std::vector<Offset>& ends = partition.producer_ends;
    while (!ends.empty() && ends.back() >= partition.log->end_offset()) ends.pop_back();
    const Sequence expected = ends.empty() ? no_sequence : static_cast<Sequence>(ends.back());
    if (partition.derived.last != expected) {
      fail(fmt::format("the producer's last sequence is {}, expected {}", partition.derived.last,
                       expected));
    }
  }

  void act() {
    Partition& partition = partitions_[random_.below(partitions_.size())];
    const std::uint64_t dice = random_.below(100);
    if (dice < 35) {
      append(partition);
    } else if (dice < 62) {
      executor_.step();
    } else if (dice < 90) {
      compact_on(partition);
    } else if (dice < 93) {
      check(partition);
    } else if (dice < 95) {
      partition.log->set_settings(random_settings());
    } else if (dice < 97) {
      partition.log->seal_if_due(std::numeric_limits<Timestamp>::max() / 2);
    } else {
      now_ += static_cast<Timestamp>(random_.below(200));
      tick_ += milliseconds(random_.below(30));
      group_->tick(tick_);
    }
  }

  void append(Partition& partition) {
    ++counts_.appends;
    KeyedBatch batch;
    const Offset base = partition.log->end_offset();
    batch.first_timestamp = 1'000 + base;
    if (random_.one_in(4)) batch.codec = protocol::Codec::lz4;
    const std::uint64_t count = 1 + random_.below(4);
    for (std::uint64_t i = 0; i < count; ++i) {
      KeyedRecord record{fmt::format("k{}", random_.below(12)), std::nullopt};
      if (!random_.one_in(5)) record.value = std::string(random_.below(80), 'v');
      const auto at = static_cast<Offset>(i);
      partition.model.append({base + at, batch.first_timestamp + at, record});
      batch.records.push_back(std::move(record));
    }
    // Sequences are offsets, so that the last one says where its batch was.
    if (random_.one_in(3)) {
      batch.producer_id = 5;
      batch.base_sequence = static_cast<Sequence>(base);
      partition.producer_ends.push_back(base + static_cast<Offset>(count) - 1);
    }
    partition.log->append(make_keyed_batch(base, batch));
    if (!random_.one_in(8)) group_->mark_dirty(*partition.log);
  }

  /// Begins a run, does a slice of one, or ends it.
  void compact_on(Partition& partition) {
    LogCompaction compaction(*partition.log);
    if (!partition.job) {
      const Cleanable cleanable = compaction.cleanable(now_);
      if (!compaction.refused().empty()) return fail("refused: " + compaction.refused());
      if (cleanable.dirty_bytes == 0) return;
      CompactionLimits limits;
      limits.map_bytes_max = (2 + random_.below(30)) * OffsetMap::slot_bytes;
      limits.slice_bytes = random_.below(2000);
      limits.io_buffer_bytes = random_.below(2000);
      partition.model.on_run(cleanable.below, now_);
      partition.job = compaction.begin(limits, now_, random_.next());
      return;
    }
    if (random_.one_in(60)) partition.job.cancel();
    bool more = true;
    for (std::uint64_t i = 1 + random_.below(6); i > 0 && more; --i) more = partition.job.step();
    if (more) return;
    const Result<CompactionReport> report = compaction.end(std::move(partition.job));
    partition.job = CompactionJob();
    if (report) {
      ++counts_.compactions;
      check(partition);
      if (!dead()) partition.model.on_swap();
    } else if (report.error().code != Errc::closed && !dead()) {
      return fail(report.error().message);
    }
    if (!dead() && partition.log->dirty()) group_->mark_dirty(*partition.log);
  }

  void stop_cleanly() {
    for (Partition& partition : partitions_) {
      if (!partition.job) continue;
      const Result<CompactionReport> ended =
          LogCompaction(*partition.log).end(std::move(partition.job));
      if (ended && !dead()) {
        check(partition);
        partition.model.on_swap();
      }
      partition.job = CompactionJob();
    }
    bool stopped = false;
    group_->stop([&] { stopped = true; });
    executor_.run_all();
    if (!stopped && !dead()) return fail("stop() does not come to its end");
    if (stopped) ++counts_.clean_stops;
  }

  void die() {
    executor_.abandon();
    if (environment_ != nullptr) counts_.checkpoints += environment_->counters.checkpoints;
    for (Partition& partition : partitions_) {
      partition.job = CompactionJob();
      partition.log.reset();
    }
    group_.reset();
    environment_.reset();
    CrashModel model = random_.one_in(2) ? CrashModel::ordered : CrashModel::reordered;
    if (random_.one_in(4)) model = CrashModel::kill;
    ++(model == CrashModel::kill ? counts_.kills : counts_.power_cuts);
    disk_.crash(random_, model);
  }

  Random random_;
  TortureCounts& counts_;
  MemoryDisk disk_;
  ManualIoExecutor executor_;
  std::unique_ptr<LogEnvironment> environment_;
  std::array<Partition, 2> partitions_;
  std::unique_ptr<GroupCommit> group_;
  Timestamp now_ = CompactionModel::first_run;
  SteadyTime tick_{};
  bool fatal_ = false;
  std::string problem_;
};

}  // namespace chronik::wal::testing
