// TortureProcess: a process with a few partition logs on a fake disk that can die and start again,
// each time compared with LogModel. What it does in between is LogTorture's. Tests and test
// programs only.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/memory_disk.h"
#include "base/random.h"
#include "wal/group_commit.h"
#include "wal/log_directory.h"
#include "wal/log_model.h"
#include "wal/test_log.h"

namespace chronik::wal::testing {

struct TortureCounts {
  std::uint64_t lives = 0;  // process starts
  std::uint64_t power_cuts = 0;
  std::uint64_t kills = 0;
  std::uint64_t failed_operations = 0;
  std::uint64_t recoveries_cut = 0;  // the power went during recovery
  std::uint64_t clean_stops = 0;
  std::uint64_t appends = 0;
  std::uint64_t acked = 0;
  std::uint64_t torn_tails = 0;
  std::uint64_t checkpoints = 0;
  std::uint64_t rolls = 0;
  std::uint64_t segments_deleted = 0;
  std::uint64_t truncations = 0;
  std::uint64_t partitions_deleted = 0;
  std::uint64_t reads = 0;
  std::uint64_t compactions = 0;
};

class TortureProcess : public DurableListener {
 public:
  TortureProcess(std::uint64_t seed, TortureCounts& counts) : random_(seed), counts_(counts) {
    CHECK(disk_.make_directories(root_));
    for (std::size_t i = 0; i < partitions_.size(); ++i) {
      partitions_[i].topic_id = new_topic_id();
      partitions_[i].page_cache = i == 2;
    }
  }

  /// Shows every operation of the disk.
  void set_trace(std::function<void(DiskOperation, const std::string&)> trace) {
    disk_.set_hook(std::move(trace));
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
    std::unique_ptr<PartitionLog> log;
  };

  bool dead() const { return fatal_ || disk_.struck(); }
  void fail(std::string problem) {
    if (problem_.empty() && !problem.empty()) problem_ = std::move(problem);
  }
  Uuid new_topic_id() { return Uuid::from_random(random_.next(), ++topics_); }
  LogIdentity identity(std::size_t i) const {
    return {"t", static_cast<PartitionId>(i), partitions_[i].topic_id};
  }

  SharedLogSettings random_settings(const Partition& partition) {
    auto settings = std::make_shared<LogSettings>();
    settings->segment_bytes = 300 + random_.below(4000);
    settings->index_interval_bytes = static_cast<std::uint32_t>(80 + random_.below(500));
    settings->retention_ms = milliseconds(200 + random_.below(3000));
    settings->retention_bytes = 500 + random_.below(20'000);
    settings->flush_mode =
        partition.page_cache ? FlushMode::page_cache : FlushMode::sync_before_ack;
    settings->flush_ms = milliseconds(5);
    return settings;
  }

  bool start() {
    environment_ = std::make_unique<LogEnvironment>(disk_, 3 + random_.below(10));
    environment_->on_fatal = [this](const Error& error) {
      if (!disk_.struck()) fail("the disk is blamed, which did not fail: " + error.message);
      fatal_ = true;
    };
    fatal_ = false;
    GroupCommitOptions options;
    options.unsaved_log_bytes_max = 300 + random_.below(4000);
    options.unsaved_total_bytes_max = 1000 + random_.below(8000);
    options.idle_checkpoint = milliseconds(20);
    options.round_logs_max = 1 + random_.below(4);
    group_ = std::make_unique<GroupCommit>(*environment_, executor_, options);
    // Sometimes the power goes again before all is read.
    if (random_.one_in(5)) disk_.power_off_after(random_.below(12));
    const Result<void> opened = open_all();
    if (!opened) {
      if (!disk_.struck()) fail("the start is refused: " + opened.error().message);
      ++counts_.recoveries_cut;
      return false;
    }
    return problem_.empty();
  }

  Result<void> open_all() {
    TRY_ASSIGN(directory_, LogDirectory::open(disk_, root_, {1, 1}));
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
      TRY_ASSIGN(
          partition.log,
          PartitionLog::open(*environment_, directory_->partition_path("t", identity(i).partition),
                             identity(i), random_settings(partition), &partition.derived));
      partition.log->set_listener(this);
      group_->add(*partition.log);
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
    bool stopped = false;
    group_->stop([&] { stopped = true; });
    executor_.run_all();
    if (!stopped && !dead()) return fail("stop() does not come to its end");
    if (!stopped) return;
    ++counts_.clean_stops;
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

  void die() {
    executor_.abandon();
    counts_.checkpoints += environment_->counters.checkpoints;
    counts_.rolls += environment_->counters.segments_rolled;
    counts_.segments_deleted += environment_->counters.segments_deleted;
    for (Partition& partition : partitions_) partition.log.reset();
    group_.reset();
    directory_.reset();
    environment_.reset();
    const bool clean = std::exchange(died_cleanly_, false);
    CrashModel model = random_.one_in(2) ? CrashModel::ordered : CrashModel::reordered;
    if (failing_) {
      // A failed sync loses pages, with the machine alive.
      if (fatal_) ++counts_.failed_operations;
      lost_power_ = lost_power_ || fatal_;
    }
    if (random_.one_in(4)) {
      model = CrashModel::kill;
      ++counts_.kills;
    } else {
      ++counts_.power_cuts;
      lost_power_ = lost_power_ || !clean;
    }
    disk_.crash(random_, model);
  }

  const std::string root_ = "/data";
  Random random_;
  TortureCounts& counts_;
  MemoryDisk disk_;
  ManualIoExecutor executor_;
  std::unique_ptr<LogEnvironment> environment_;
  std::unique_ptr<LogDirectory> directory_;
  std::array<Partition, 3> partitions_;
  std::unique_ptr<GroupCommit> group_;
  SteadyTime now_{};
  std::uint64_t topics_ = 0;
  bool fatal_ = false;
  bool failing_ = false;
  bool lost_power_ = false;  // since page-cache partitions were last compared
  bool died_cleanly_ = false;
  std::string problem_;
};

}  // namespace chronik::wal::testing
