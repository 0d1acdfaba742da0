// CompactionTorture: appends keyed records to partition logs on a fake disk, compacts them slice by
// slice between everything else (retention and DeleteRecords too), lets the process or the machine
// die at a random operation, starts again, and compares with what was appended. After any crash:
// what was acknowledged is there up to the end; a record is missing only where compaction may have
// removed it (a later one of its key was there, or it is a tombstone whose time was over) or before
// the start of the log; and what was durably removed never comes back. Tests and test programs
// only.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "wal/compaction_model.h"
#include "wal/offset_map.h"
#include "wal/torture_machine.h"

namespace chronik::wal::testing {

class CompactionTorture final : public TortureMachine {
 public:
  using TortureMachine::TortureMachine;

  /// One life of the process: start, random work, end. Returns what went wrong, or nothing.
  std::string live() {
    ++counts_.lives;
    if (start() && problem_.empty()) {
      const std::uint64_t fate = random_.below(10);
      if (fate < 7) disk_.power_off_after(random_.below(150));
      if (fate == 7) fail_an_operation(100);
      for (std::uint64_t i = 10 + random_.below(120); i > 0 && going(); --i) act();
      if (going() && random_.one_in(4)) stop_cleanly();
    }
    if (problem_.empty()) end_process();
    return problem_;
  }

  void on_durable(PartitionLog& log) override {
    for (Partition& partition : partitions_) {
      if (partition.log.get() != &log) continue;
      if (fatal_) fail("acknowledged after the disk failed");
      const Offset before = partition.model.acked();
      partition.model.on_durable(log);
      counts_.acked += static_cast<std::uint64_t>(partition.model.acked() - before);
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

  SharedLogSettings random_settings() {
    auto settings = std::make_shared<LogSettings>();
    settings->segment_bytes = 300 + random_.below(3000);
    settings->index_interval_bytes = static_cast<std::uint32_t>(80 + random_.below(500));
    settings->compact = true;
    settings->delete_old = random_.one_in(2);
    settings->retention_ms = milliseconds(200 + random_.below(3000));
    settings->retention_bytes = 500 + random_.below(20'000);
    settings->min_cleanable_dirty_ratio = 0;
    settings->delete_retention = CompactionModel::delete_retention;
    return settings;
  }

  bool start() {
    start_process(GroupCommitOptions().round_logs_max);
    Result<void> opened = replay();
    if (opened) opened = open_journal();
    if (!opened) {
      start_refused(opened.error());
      return false;
    }
    for (std::size_t i = 0; i < partitions_.size(); ++i) {
      Partition& partition = partitions_[i];
      const auto number = static_cast<PartitionId>(i);
      auto opened = PartitionLog::open(*environment_, fmt::format("{}/t-{}", root_, i),
                                       {"t", number, test_topic_id(i + 1)}, random_settings(),
                                       &partition.derived);
      // A start does not mind where it cannot remove what is left over.
      if (!opened) {
        start_refused(opened.error());
        return false;
      }
      if (disk_.struck()) {
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
    counts_.torn_tails += environment_->counters.torn_tails;
    return true;
  }

  void check(Partition& partition) {
    ++counts_.reads;
    const std::string problem = partition.model.compare(*partition.log);
    if (!disk_.struck()) fail(problem);
  }

  void check_producer(Partition& partition) {
    std::vector<Offset>& ends = partition.producer_ends;
    while (!ends.empty() && ends.back() >= partition.log->end_offset()) ends.pop_back();
    // Of what retention has dropped a replay knows nothing.
    if (!ends.empty() && ends.back() < partition.log->log_start_offset()) return;
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
    } else if (dice < 61) {
      executor_.step();
    } else if (dice < 63) {
      drop_old(partition);
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
    KeyedBatch batch;
    const Offset base = partition.log->end_offset();
    batch.first_timestamp = 1'000 + base;
    if (random_.one_in(4)) batch.codec = protocol::Codec::lz4;
    const std::uint64_t count = 1 + random_.below(4);
    counts_.appends += count;
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

  /// Retention, or DeleteRecords.
  void drop_old(Partition& partition) {
    PartitionLog& log = *partition.log;
    if (random_.one_in(2)) {
      log.apply_retention(1'000 + log.end_offset() + static_cast<Timestamp>(random_.below(4'000)));
    } else {
      const auto start = static_cast<std::uint64_t>(log.log_start_offset());
      const auto above = static_cast<std::uint64_t>(log.durable_end_offset()) - start;
      const Result<void> deleted =
          log.delete_before(static_cast<Offset>(start + random_.below(above / 4 + 1)));
      if (!deleted) fail(deleted.error().message);
    }
    partition.model.asked_start(log.log_start_offset());
    if (log.dirty()) group_->mark_dirty(log);
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
      limits.in_flight_bytes_max = random_.below(2000);
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
    stop_group();
  }

  void drop_logs() override {
    for (Partition& partition : partitions_) {
      partition.job = CompactionJob();
      partition.log.reset();
    }
  }

  std::array<Partition, 2> partitions_;
  Timestamp now_ = CompactionModel::first_run;
  SteadyTime tick_{};
};

}  // namespace chronik::wal::testing
