// LogTorture: does random things to a few partition logs of one shard on a fake disk, lets the
// process or the machine die at a random operation, starts again, and compares with LogModel. One
// seed, one thread, the same run every time. Tests and test programs only.
#pragma once

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "wal/torture_process.h"

namespace chronik::wal::testing {

class LogTorture final : public TortureProcess {
 public:
  using TortureProcess::TortureProcess;

  /// One life of the process: start, random work, end. Returns what went wrong, or nothing.
  std::string live() {
    ++counts_.lives;
    if (!start()) {
      if (problem_.empty()) die();
      return problem_;
    }
    const std::uint64_t fate = random_.below(10);
    if (fate < 6) disk_.power_off_after(random_.below(120));
    if (fate == 6) fail_an_operation(60);
    const std::uint64_t actions = 5 + random_.below(60);
    for (std::uint64_t i = 0; i < actions && problem_.empty() && !dead(); ++i) act();
    if (problem_.empty() && fate == 9 && !dead()) stop_cleanly();
    if (problem_.empty()) die();
    return problem_;
  }

 private:
  void act() {
    const std::size_t i = random_.below(partitions_.size());
    Partition& partition = partitions_[i];
    const std::uint64_t dice = random_.below(100);
    if (dice < 40) {
      for (std::uint64_t n = 1 + random_.below(4); n > 0; --n) append(partition);
      if (!random_.one_in(8)) group_->mark_dirty(*partition.log);
      // Others too, which share its round.
      for (Partition& other : partitions_) {
        if (!random_.one_in(3)) continue;
        append(other);
        group_->mark_dirty(*other.log);
      }
    } else if (dice < 68) {
      // Sometimes there are no descriptors for the work: it is done again, nothing is lost.
      if (random_.one_in(20)) disk_.set_open_files_max(random_.below(8));
      executor_.step();
      disk_.set_open_files_max(std::numeric_limits<std::size_t>::max());
    } else if (dice < 84) {
      check(partition);
    } else if (dice < 88) {
      now_ += milliseconds(random_.below(30));
      group_->tick(now_);
    } else if (dice < 91) {
      delete_records(partition);
    } else if (dice < 93) {
      partition.log->apply_retention(1000 + partition.log->end_offset() +
                                     static_cast<Timestamp>(random_.below(4000)));
      partition.model.asked_start(partition.log->log_start_offset());
      group_->mark_dirty(*partition.log);
    } else if (dice < 95) {
      truncate(partition);
    } else if (dice < 96) {
      recreate(i);
    } else if (dice < 98) {
      partition.log->set_settings(random_settings(partition));
    } else {
      partition.epoch += static_cast<LeaderEpoch>(1 + random_.below(3));
    }
  }

  void append(Partition& partition) {
    ++counts_.appends;
    ModelEntry entry;
    entry.base = partition.log->end_offset();
    entry.epoch = partition.epoch;
    if (random_.one_in(12)) {
      entry.next = entry.base;
      entry.bytes = make_raft_entry(entry.base, entry.epoch, random_.below(700));
    } else {
      BatchSpec spec;
      spec.base_offset = entry.base;
      spec.epoch = entry.epoch;
      spec.records = static_cast<int>(1 + random_.below(4));
      spec.first_timestamp = 1000 + entry.base - static_cast<Offset>(random_.below(40));
      spec.timestamp_step = static_cast<Timestamp>(random_.below(3));
      spec.value_bytes = random_.one_in(10) ? random_.below(1500) : random_.below(60);
      spec.codec = random_.one_in(6) ? protocol::Codec::lz4 : protocol::Codec::none;
      spec.seed = random_.next();
      entry.next = entry.base + spec.records;
      entry.first_timestamp = spec.first_timestamp;
      entry.timestamp_step = spec.timestamp_step;
      entry.bytes = make_batch(spec);
    }
    partition.log->append(entry.bytes);
    partition.model.append(std::move(entry));
  }

  void check(Partition& partition) {
    PartitionLog& log = *partition.log;
    ++counts_.reads;
    if (dead()) return;
    std::string problem = partition.model.check_state(log);
    const Offset end = log.end_offset();
    const auto any_offset = [&] {
      return static_cast<Offset>(random_.below(static_cast<std::uint64_t>(end) + 2));
    };
    for (int n = 0; n < 3 && problem.empty(); ++n) {
      problem = partition.model.check_read(log, any_offset(), random_.below(2000), any_offset(),
                                           random_.one_in(2));
    }
    if (problem.empty()) {
      problem = partition.model.check_time(log, 960 + any_offset(), any_offset());
    }
    if (!disk_.struck()) fail(problem);
  }

  void delete_records(Partition& partition) {
    const auto end = static_cast<std::uint64_t>(partition.log->durable_end_offset());
    const Result<void> deleted =
        partition.log->delete_before(static_cast<Offset>(random_.below(end + 1)));
    if (!deleted) fail(deleted.error().message);
    partition.model.asked_start(partition.log->log_start_offset());
    if (partition.log->dirty()) group_->mark_dirty(*partition.log);
  }

  void truncate(Partition& partition) {
    PartitionLog& log = *partition.log;
    // Never below what was deleted on purpose: that was committed.
    EntryIndex least = log.start_index() - 1;
    for (const ModelEntry& entry : partition.model.entries()) {
      if (entry.base < log.log_start_offset()) least = std::max(least, entry.index);
    }
    if (least >= log.last_index()) return;
    const EntryIndex kept =
        std::max(least, log.last_index() - static_cast<EntryIndex>(random_.below(12)));
    ++counts_.truncations;
    partition.model.truncate_after(kept);
    const Result<void> cut = log.truncate_after(kept);
    if (!cut && !disk_.struck()) fail(cut.error().message);
    if (cut) group_->mark_dirty(log);
  }

  void recreate(std::size_t i) {
    Partition& partition = partitions_[i];
    ++counts_.partitions_deleted;
    const std::string path = partition.log->directory();
    const auto deleted = std::make_shared<bool>(false);
    group_->destroy(std::move(partition.log), [deleted] { *deleted = true; });
    if (random_.one_in(2)) {
      partition.topic_id = new_topic_id();
    } else {
      // A replica that leaves and comes back.
      partition.maybe_gone = true;
      // A process whose disk failed does nothing more.
      while (!dead() && executor_.step()) {
      }
      if (!*deleted && !dead()) fail("a deletion does not come to its end");
      if (!*deleted) return;
      partition.maybe_gone = false;
    }
    partition.model = LogModel();
    partition.epoch = 0;
    partition.log = PartitionLog::create(*environment_, path, identity(i),
                                         random_settings(partition), &partition.derived);
    partition.log->set_listener(this);
    group_->add(*partition.log);
  }
};

}  // namespace chronik::wal::testing
