// ShardOnFakeDisk: a few logs and a journal, for the tests of what a start makes of its frames
// (journal_test.cc) and of what is synced when (journal_commit_test.cc).
#pragma once

#include <spdlog/fmt/fmt.h>

#include <array>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/memory_disk.h"
#include "wal/group_commit.h"
#include "wal/journal.h"
#include "wal/journal_replay.h"
#include "wal/test_log.h"

namespace chronik::wal::testing {

inline constexpr std::size_t log_count = 4;

class ShardOnFakeDisk {
 protected:
  ShardOnFakeDisk() {
    CHECK(disk.make_directories("/data"));
    options.file_bytes = 16 * journal_block_bytes;
    options.bytes_max = 4 * options.file_bytes;
    options.logs_min = 2;
    options.make_at_once = true;
    start();
    // The first appends make directories and files, in place.
    append();
  }
  ~ShardOnFakeDisk() {
    disk.set_hook({});
    end();
  }

  static std::string directory(std::size_t i) { return fmt::format("/data/t-{}", i); }
  static LogIdentity identity(std::size_t i) {
    return {"t", static_cast<PartitionId>(i), test_topic_id(i + 1)};
  }
  std::string segment(std::size_t i) const { return directory(i) + "/00000000000000000000.log"; }

  Result<void> try_start(bool with_journal = true) {
    environment = std::make_unique<LogEnvironment>(disk);
    environment->on_fatal = [this](const Error& error) { fatal.push_back(error.message); };
    TRY_ASSIGN(replay, replay_journals(disk, "/data"));
    if (with_journal) {
      TRY_ASSIGN(const std::shared_ptr<JournalHome> home, begin_journals(disk, "/data", 1, 42));
      TRY_ASSIGN(journal, Journal::open(home, 0, options));
      environment->journal = journal.get();
    } else {
      TRY(remove_journals(disk, "/data"));
    }
    group = std::make_unique<GroupCommit>(*environment, executor, group_options);
    for (std::size_t i = 0; i < log_count; ++i) TRY(open(i));
    return {};
  }
  Result<void> open(std::size_t i) {
    TRY_ASSIGN(logs[i],
               PartitionLog::open(*environment, directory(i), identity(i), settings, nullptr));
    group->add(*logs[i]);
    return {};
  }
  void start(bool with_journal = true) {
    const Result<void> started = try_start(with_journal);
    CHECK_MSG(started.has_value(), started.error().message);
  }
  void end() {
    executor.abandon();
    for (auto& log : logs) log.reset();
    group.reset();
    environment.reset();
    journal.reset();
  }
  void crash(CrashModel model, std::uint64_t seed = 1) {
    end();
    Random random(seed);
    disk.crash(random, model);
  }
  /// The power goes, and nothing that was not synced is there.
  void cut_power() {
    end();
    std::map<std::string, Bytes> synced;
    Random random(seed_++);
    disk.crash(random, CrashModel::ordered);
  }

  /// One batch for each of the first `count` logs, acknowledged together.
  void append(std::size_t value_bytes = 20, std::size_t count = log_count) {
    const std::span chosen = std::span(logs).first(count);
    for (auto& log : chosen) {
      log->append(make_batch({.base_offset = log->end_offset(), .value_bytes = value_bytes}));
    }
    // The first one would have a round of its own.
    group->mark_dirty(*logs[0]);
    for (auto& log : chosen) group->mark_dirty(*log);
    executor.run_all();
    for (auto& log : chosen) CHECK(log->durable_end_offset() == log->end_offset());
  }
  void tick(SteadyTime now) {
    group->tick(now);
    executor.run_all();
  }
  std::vector<Offset> ends() const {
    std::vector<Offset> found;
    for (const auto& log : logs) found.push_back(log->end_offset());
    return found;
  }
  std::vector<std::string> journal_files() const { return disk.files("/data/chronik.journal"); }
  std::string journal_file() const { return "/data/chronik.journal/0-0"; }

  MemoryDisk disk;
  ManualIoExecutor executor;
  JournalOptions options;
  GroupCommitOptions group_options;
  std::shared_ptr<LogSettings> settings = std::make_shared<LogSettings>();
  std::unique_ptr<LogEnvironment> environment;
  std::unique_ptr<Journal> journal;
  std::unique_ptr<GroupCommit> group;
  std::array<std::unique_ptr<PartitionLog>, log_count> logs;
  JournalReplay replay;
  std::vector<std::string> fatal;

 private:
  std::uint64_t seed_ = 1;
};

}  // namespace chronik::wal::testing
