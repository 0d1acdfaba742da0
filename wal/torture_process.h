// TortureProcess: a process with a few partition logs on a fake disk that can die and start again,
// each time compared with LogModel. What it does in between is LogTorture's. Tests and test
// programs only.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "wal/log_directory.h"
#include "wal/log_model.h"
#include "wal/torture_machine.h"

namespace chronik::wal::testing {

class TortureProcess : public TortureMachine {
 public:
  TortureProcess(std::uint64_t seed, TortureCounts& counts) : TortureMachine(seed, counts) {
    for (std::size_t i = 0; i < partitions_.size(); ++i) {
      partitions_[i].topic_id = new_topic_id();
      partitions_[i].page_cache = i == 2;
    }
  }

  void on_durable(PartitionLog& log) override {
    if (fatal_) fail("acknowledged after the disk failed");
    for (Partition& partition : partitions_) {
      if (partition.log.get() != &log) continue;
      const EntryIndex before = partition.model.acked();
      partition.model.on_durable(log);
      counts_.acked += static_cast<std::uint64_t>(partition.model.acked() - before);
    }
  }

 protected:
  struct Partition {
    Uuid topic_id;
    bool page_cache = false;
    LogModel model;
    SeenEntries derived;
    LeaderEpoch epoch = 0;
    /// It was deleted when the process died, or not yet.
    bool maybe_gone = false;
    std::unique_ptr<PartitionLog> log;
  };

  Uuid new_topic_id() { return Uuid::from_random(random_.next(), ++topics_); }
  LogIdentity identity(std::size_t i) const {
    return {"t", static_cast<PartitionId>(i), partitions_[i].topic_id};
  }

  SharedLogSettings random_settings(const Partition& partition) {
    auto settings = std::make_shared<LogSettings>();
    settings->segment_bytes = 300 + random_.below(random_.one_in(3) ? 40'000 : 4'000);
    settings->index_interval_bytes = static_cast<std::uint32_t>(80 + random_.below(500));
    settings->retention_ms = milliseconds(200 + random_.below(3000));
    settings->retention_bytes = 500 + random_.below(20'000);
    settings->flush_mode =
        partition.page_cache ? FlushMode::page_cache : FlushMode::sync_before_ack;
    settings->flush_ms = milliseconds(5);
    return settings;
  }

  bool start() {
    start_process(1 + random_.below(4));
    if (const Result<void> opened = open_all(); !opened) {
      start_refused(opened.error());
      return false;
    }
    return problem_.empty();
  }

  Result<void> open_all() {
    if (random_.one_in(2)) TRY(replay());
    TRY_ASSIGN(directory_, LogDirectory::open(disk_, root_, {1, 1}));
    environment_->synced_start = &directory_->synced_start();
    TRY(open_journal());
    TRY_ASSIGN(const FoundPartitions found, directory_->find_partitions());
    for (const FoundPartition& partition : found.partitions) {
      // What a broker does by its metadata: other topics' directories go.
      const auto i = static_cast<std::size_t>(partition.identity.partition);
      if (partition.identity.topic_id == partitions_[i].topic_id) continue;
      if (partition.identity.topic_id.is_zero()) continue;
      TRY_ASSIGN(std::string aside, directory_->set_aside(partition));
      group_->remove_directory(std::move(aside));
    }
    for (const std::string& path : found.deleted) group_->remove_directory(path);
    for (std::size_t i = 0; i < partitions_.size(); ++i) {
      Partition& partition = partitions_[i];
      const std::string path = directory_->partition_path("t", identity(i).partition);
      TRY_ASSIGN(partition.log,
                 PartitionLog::open(*environment_, path, identity(i), random_settings(partition),
                                    &partition.derived, environment_->sync_of(path)));
      // A start does not mind where it cannot remove what is left over.
      if (disk_.struck()) return Error{Errc::io, "the disk failed under the start"};
      partition.log->set_listener(this);
      group_->add(*partition.log);
      if (std::exchange(partition.maybe_gone, false) && partition.log->last_index() == 0) {
        partition.model = LogModel();
      }
      const bool lossy = partition.page_cache && lost_power_;
      fail(partition.model.recovered(*partition.log, lossy));
      partition.epoch = std::max(0, partition.log->last_epoch());
      check_derived(partition);
      if (!problem_.empty()) {
        problem_ = fmt::format("partition {}: {}", i, problem_);
        return {};
      }
    }
    lost_power_ = false;
    counts_.torn_tails += environment_->counters.torn_tails;
    return {};
  }

  /// Of the entries that are still there, the derived state has seen each once, in order.
  void check_derived(const Partition& partition) {
    std::vector<SeenEntries::Seen> expected;
    for (const ModelEntry& entry : partition.model.entries()) {
      if (entry.is_raft() || entry.base < partition.log->log_start_offset()) continue;
      expected.push_back({entry.base, protocol::read_batch_header(entry.bytes.view()).crc});
    }
    std::vector<SeenEntries::Seen> seen = partition.derived.seen;
    std::erase_if(seen, [&](const auto& entry) {
      return entry.base_offset < partition.log->log_start_offset();
    });
    if (seen != expected) {
      fail(fmt::format("the derived state has seen {} entries, expected {}", seen.size(),
                       expected.size()));
    }
  }

  void stop_cleanly() {
    if (!stop_group()) return;
    for (Partition& partition : partitions_) {
      if (partition.log->unsaved_bytes() != 0 || partition.log->has_unsynced() ||
          partition.log->durable_end_offset() != partition.log->end_offset()) {
        fail("something is left to do after stop()");
      }
      if (partition.log->size_bytes() != 0) partition.model.on_durable(*partition.log);
    }
    lost_power_ = false;
    died_cleanly_ = true;
  }

  void drop_logs() override {
    for (Partition& partition : partitions_) partition.log.reset();
    directory_.reset();
  }

  void die() {
    const bool clean = std::exchange(died_cleanly_, false);
    // A failed sync loses pages, with the machine alive.
    lost_power_ = lost_power_ || (failing_ && fatal_);
    const CrashModel model = end_process();
    lost_power_ = lost_power_ || (model != CrashModel::kill && !clean);
  }

  std::unique_ptr<LogDirectory> directory_;
  std::array<Partition, 3> partitions_;
  SteadyTime now_{};
  std::uint64_t topics_ = 0;
  bool lost_power_ = false;  // since page-cache partitions were last compared
  bool died_cleanly_ = false;
};

}  // namespace chronik::wal::testing
