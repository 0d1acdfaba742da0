// TortureMachine: a fake disk and a process on it that can die at any operation and start again:
// what LogTorture and CompactionTorture have in common. What the process does in between, and what
// must be there afterwards, is theirs. One seed, one thread, the same run every time. Tests and
// test programs only.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/log.h"
#include "base/memory_disk.h"
#include "base/random.h"
#include "wal/group_commit.h"
#include "wal/journal.h"
#include "wal/journal_replay.h"
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
  std::uint64_t journal_frames = 0;
  std::uint64_t journal_releases = 0;
  std::uint64_t journal_writes_replayed = 0;
};

class TortureMachine : public DurableListener {
 public:
  TortureMachine(std::uint64_t seed, TortureCounts& counts) : random_(seed), counts_(counts) {
    CHECK(disk_.make_directories(root_));
  }

  /// Shows every operation of the disk.
  void set_trace(std::function<void(DiskOperation, const std::string&)> trace) {
    disk_.set_hook(std::move(trace));
  }

 protected:
  /// Ends the logs of the process, and what of the disk it holds.
  virtual void drop_logs() = 0;

  bool dead() const { return fatal_ || disk_.struck(); }
  bool going() const { return problem_.empty() && !dead(); }
  void fail(std::string problem) {
    if (problem_.empty() && !problem.empty()) problem_ = std::move(problem);
  }

  /// A process without logs. Sometimes the power goes again before it has opened them all.
  void start_process(std::size_t round_logs_max) {
    environment_ = std::make_unique<LogEnvironment>(disk_, 3 + random_.below(10));
    environment_->on_fatal = [this](const Error& error) {
      if (!disk_.struck()) fail("the disk is blamed, which did not fail: " + error.message);
      fatal_ = true;
    };
    fatal_ = false;
    failing_ = false;
    GroupCommitOptions options;
    options.unsaved_log_bytes_max = 300 + random_.below(4000);
    options.unsaved_total_bytes_max = 1000 + random_.below(8000);
    options.idle_checkpoint = milliseconds(20);
    options.round_logs_max = round_logs_max;
    group_ = std::make_unique<GroupCommit>(*environment_, executor_, options);
    if (random_.one_in(5)) disk_.power_off_after(random_.below(random_.one_in(2) ? 12 : 60));
  }
  Result<void> replay() {
    TRY_ASSIGN(const JournalReplay replayed, replay_journals(disk_, root_));
    counts_.journal_writes_replayed += replayed.writes;
    return {};
  }
  /// What comes before its logs are opened: most starts have a journal, of one shard or another.
  Result<void> open_journal() {
    if (random_.one_in(8)) return remove_journals(disk_, root_);
    JournalOptions options;
    options.file_bytes = (2 + random_.below(3)) * journal_block_bytes;
    options.bytes_max = options.file_bytes * (2 + random_.below(2));
    options.append_bytes_max = 200 + random_.below(3000);
    options.logs_min = 1 + random_.below(2);
    options.writeback_logs_max = 1 + random_.below(3);
    options.file_system_sync_logs_min = 1 + random_.below(4);
    options.round_sync_logs_min = 1 + random_.below(4);
    options.round_sync_append_bytes_min = random_.below(2000);
    disk_.set_sync_time(milliseconds(random_.one_in(4) ? 1000 : 0));
    disk_.set_unsynced_bytes_of_others(random_.one_in(4) ? 1 << 30 : 0);
    options.make_at_once = !random_.one_in(4);
    const auto shards = static_cast<std::uint32_t>(1 + random_.below(2));
    TRY_ASSIGN(const std::shared_ptr<JournalHome> home,
               begin_journals(disk_, root_, shards, random_.next()));
    const auto shard = static_cast<std::uint32_t>(random_.below(shards));
    TRY_ASSIGN(journal_, Journal::open(home, shard, options));
    environment_->journal = journal_.get();
    // Else a life is often over before there is one.
    for (std::uint64_t n = random_.below(3); n > 0; --n) {
      const std::optional<std::string> wanted = journal_->wanted_file(0);
      if (!wanted) break;
      TRY_ASSIGN(std::shared_ptr<File> made, journal_->make_file(*wanted));
      journal_->end_file(std::move(made));
    }
    return {};
  }
  /// Its logs do not open: right only when the power went.
  void start_refused(const Error& error) {
    if (!disk_.struck()) fail("the start is refused: " + error.message);
    ++counts_.recoveries_cut;
  }

  /// One operation of the disk will fail, once.
  void fail_an_operation(std::uint64_t below) {
    failing_ = true;
    const std::uint64_t n = random_.below(below);
    disk_.fail_operation(n, random_.next());
  }

  /// True when all is durable and checkpointed.
  bool stop_group() {
    bool stopped = false;
    group_->stop([&] { stopped = true; });
    executor_.run_all();
    if (!stopped && !dead()) fail("stop() does not come to its end");
    if (stopped) ++counts_.clean_stops;
    return stopped;
  }

  /// The process dies, or the machine: says which.
  CrashModel end_process() {
    executor_.abandon();
    if (environment_ != nullptr) {
      const LogCounters& counters = environment_->counters;
      counts_.checkpoints += counters.checkpoints;
      counts_.rolls += counters.segments_rolled;
      counts_.segments_deleted += counters.segments_deleted;
      counts_.journal_frames += counters.journal_frames;
      counts_.journal_releases += counters.journal_releases;
    }
    if (failing_ && fatal_) ++counts_.failed_operations;
    drop_logs();
    group_.reset();
    journal_.reset();
    environment_.reset();
    CrashModel model = random_.one_in(2) ? CrashModel::ordered : CrashModel::reordered;
    if (random_.one_in(4)) model = CrashModel::kill;
    ++(model == CrashModel::kill ? counts_.kills : counts_.power_cuts);
    disk_.crash(random_, model);
    return model;
  }

  const std::string root_ = "/data";
  Random random_;
  TortureCounts& counts_;
  MemoryDisk disk_;
  ManualIoExecutor executor_;
  std::unique_ptr<LogEnvironment> environment_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<GroupCommit> group_;
  bool fatal_ = false;
  bool failing_ = false;  // in this life
  std::string problem_;
};

}  // namespace chronik::wal::testing
