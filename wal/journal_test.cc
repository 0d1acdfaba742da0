// The journal on a fake disk: what a start makes of its frames.
#include "wal/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include <array>
#include <limits>
#include <map>
#include <span>

#include "wal/group_commit.h"
#include "wal/journal_replay.h"
#include "wal/log_repair.h"
#include "wal/log_verify.h"
#include "wal/test_log.h"

namespace chronik::wal {
namespace {

using testing::make_batch;

constexpr std::size_t log_count = 4;

/// A shard with a few logs and a journal.
class JournalOnFakeDisk : public ::testing::Test {
 protected:
  JournalOnFakeDisk() {
    CHECK(disk.make_directories("/data"));
    options.file_bytes = 16 * journal_block_bytes;
    options.bytes_max = 4 * options.file_bytes;
    options.logs_min = 2;
    options.make_at_once = true;
    start();
    // The first appends make directories and files, in place.
    append();
  }
  ~JournalOnFakeDisk() override {
    disk.set_hook({});
    end();
  }

  static std::string directory(std::size_t i) { return fmt::format("/data/t-{}", i); }
  static LogIdentity identity(std::size_t i) {
    return {"t", static_cast<PartitionId>(i), testing::test_topic_id(i + 1)};
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
    for (auto& log : chosen) EXPECT_EQ(log->durable_end_offset(), log->end_offset());
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

TEST_F(JournalOnFakeDisk, OneSyncCoversManyLogsAndAPowerCutLosesNothing) {
  for (int i = 0; i < 4; ++i) append();
  std::map<DiskOperation, int> operations;
  disk.set_hook([&](DiskOperation operation, const std::string&) { ++operations[operation]; });
  append();
  // The first log was alone in its round.
  EXPECT_EQ(operations[DiskOperation::sync_data], 2);
  EXPECT_EQ(operations[DiskOperation::sync_directory], 0);
  disk.set_hook({});
  const std::vector<Offset> before = ends();
  cut_power();
  start();
  EXPECT_GT(replay.writes, 3u);
  EXPECT_EQ(ends(), before);
}

TEST_F(JournalOnFakeDisk, WhatAStartHasCopiedIsNeverCopiedAgain) {
  for (int i = 0; i < 4; ++i) append();
  crash(CrashModel::kill);
  start();
  EXPECT_GT(replay.writes, 0u);
  EXPECT_EQ(logs[0]->recovery().torn_bytes, 0u);
  crash(CrashModel::kill);
  start();
  EXPECT_EQ(replay.frames, 0u);
}

// The power goes again at each operation of the start.
TEST_F(JournalOnFakeDisk, AReplayMayBeInterruptedAndRepeated) {
  for (int i = 0; i < 4; ++i) append();
  const std::vector<Offset> before = ends();
  end();
  Random random(7);
  disk.crash(random, CrashModel::ordered);
  bool started = false;
  for (std::uint64_t n = 0; !started; ++n) {
    ASSERT_LT(n, 1000u);
    disk.power_off_after(n);
    started = try_start().has_value() && !disk.struck();
    if (!started) {
      end();
      disk.crash(random, CrashModel::reordered);
    }
  }
  EXPECT_EQ(ends(), before);
}

TEST_F(JournalOnFakeDisk, OldFramesOfARecycledFileAreNotTakenForNewOnes) {
  options.writeback_logs_max = 4;
  for (int i = 0; i < 300; ++i) append(500);
  EXPECT_LE(journal_files().size(), 5u);  // the epoch, and as many as it may have
  EXPECT_GT(environment->counters.journal_releases, 0u);
  EXPECT_GT(environment->counters.journal_frames, 200u);
  const std::vector<Offset> before = ends();
  cut_power();
  start();
  EXPECT_EQ(ends(), before);
  // Fewer than were ever written.
  EXPECT_LT(replay.frames, 64u);
}

// Syncs are as many for a thousand logs as for a few.
TEST_F(JournalOnFakeDisk, OneCallSyncsAllSegmentsBehindTheJournal) {
  end();
  options.file_system_sync_logs_min = log_count - 1;
  start();
  append();
  std::map<std::string, int> syncs;
  disk.set_hook([&](DiskOperation operation, const std::string& path) {
    if (operation == DiskOperation::sync_data) ++syncs[path];
  });
  for (int i = 0; i < 100; ++i) append(500);
  disk.set_hook({});
  EXPECT_GT(syncs["/data"], 2);
  EXPECT_LT(syncs["/data"], 50);
  // The first one is alone in its rounds.
  for (std::size_t i = 1; i < log_count; ++i) EXPECT_EQ(syncs[segment(i)], 0) << i;
  EXPECT_GT(environment->counters.journal_releases, 0u);
  EXPECT_EQ(environment->counters.journal_full, 0u);
  const std::vector<Offset> before = ends();
  cut_power();
  start();
  EXPECT_EQ(ends(), before);
}

// Else the next burst would have to wait for that sync, also when all of this belongs to topics
// that are deleted by then.
TEST_F(JournalOnFakeDisk, WhatWaitsIsSyncedOnceNothingComesAnyMore) {
  end();
  options.file_system_sync_logs_min = log_count - 1;
  start();
  append();
  append();
  group->destroy(std::move(logs[1]), [] {});
  executor.run_all();
  int syncs = 0;
  disk.set_hook([&](DiskOperation operation, const std::string& path) {
    if (operation == DiskOperation::sync_data && path == "/data") ++syncs;
  });
  tick(SteadyTime{} + milliseconds(1000));
  EXPECT_EQ(syncs, 0) << "something was written since the last tick";
  EXPECT_TRUE(group->next_tick().has_value());
  for (int i = 2; i < 5; ++i) tick(SteadyTime{} + milliseconds(1000 * i));
  EXPECT_EQ(syncs, 1) << "nothing was left to be synced after the first time";
  disk.set_hook({});
  const std::vector<Offset> before{logs[0]->end_offset(), logs[2]->end_offset()};
  cut_power();
  start();
  EXPECT_EQ(before, (std::vector<Offset>{logs[0]->end_offset(), logs[2]->end_offset()}));
}

// A burst leaves so much that the next one, a few seconds later, would meet the sync that makes
// room.
TEST_F(JournalOnFakeDisk, TheMoreItHoldsTheSoonerItIsAskedWhetherAnythingComes) {
  end();
  options.file_system_sync_logs_min = log_count - 1;
  options.bytes_max = 16 * options.file_bytes;
  int asked = 0;
  group_options.on_tick_wanted = [&] { ++asked; };
  start();
  append();
  append();
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(*group->next_tick(), SteadyTime{} + group_options.idle_checkpoint);
  for (int i = 0; i < 10; ++i) append(2000);
  EXPECT_EQ(asked, 2) << "who waits for the next tick has to be told that it is sooner now";
  EXPECT_EQ(*group->next_tick(), SteadyTime{} + milliseconds(250));
  for (int i = 0; i < 2; ++i) tick(*group->next_tick());
  EXPECT_GE(environment->counters.journal_releases, log_count - 1);
  EXPECT_GE(*group->next_tick(), SteadyTime{} + group_options.idle_checkpoint);
}

// A load that begins when what the one before it left was synced: the turn is at the first files
// again, while those behind them have something. One log is not written any more, so that nothing
// but a sync behind the acknowledgements makes room.
TEST_F(JournalOnFakeDisk, AFileThatIsMadeHasItsTurnNext) {
  end();
  options.bytes_max = 16 * options.file_bytes;
  start();
  for (int i = 0; i < 10; ++i) append(2000);
  for (int i = 1; i < 4; ++i) tick(SteadyTime{} + milliseconds(1000 * i));
  const std::size_t files_before = journal_files().size();
  append(2000);
  ASSERT_EQ(journal->released() + 1, journal->last_lsn());
  for (int i = 0; i < 100; ++i) append(2000, log_count - 1);
  EXPECT_GT(journal_files().size(), files_before + 2);
  EXPECT_EQ(environment->counters.journal_full, 0u);
  const std::vector<Offset> before = ends();
  cut_power();
  start();
  EXPECT_EQ(ends(), before);
}

// Also when the disk has room for a few of its files only.
TEST_F(JournalOnFakeDisk, ItComesRoundWithTheFilesThatThereAre) {
  end();
  options.bytes_max = 16 * options.file_bytes;
  start();
  append();
  while (journal_files().size() < 4) append(2000);  // the epoch, and three
  std::string wanted;
  disk.set_hook([&](DiskOperation operation, const std::string& path) {
    if (operation == DiskOperation::create && path.starts_with("/data/chronik.journal/")) {
      wanted = path;
      disk.set_capacity(disk.used_bytes());
    } else if (path != wanted) {
      disk.set_capacity(std::numeric_limits<std::uint64_t>::max());
    }
  });
  for (int i = 0; i < 100; ++i) append(2000, log_count - 1);
  EXPECT_NE(wanted, "");
  EXPECT_EQ(journal_files().size(), 4u);
  EXPECT_LT(environment->counters.journal_full, 10u);
  EXPECT_TRUE(fatal.empty());
}

TEST_F(JournalOnFakeDisk, AFailedSyncOfTheFileSystemEndsTheNode) {
  end();
  options.file_system_sync_logs_min = log_count - 1;
  start();
  append();
  bool fails = false;
  disk.set_hook([&](DiskOperation operation, const std::string& path) {
    if (operation != DiskOperation::sync_data || path != "/data" || fails) return;
    fails = true;
    disk.fail_operation(0);
  });
  for (int i = 0; i < 100 && !fails; ++i) {
    for (auto& log : logs) {
      log->append(make_batch({.base_offset = log->end_offset(), .value_bytes = 500}));
    }
    for (auto& log : logs) group->mark_dirty(*log);
    executor.run_all();
  }
  EXPECT_THAT(fatal, ::testing::ElementsAre(::testing::HasSubstr("input/output error")));
}

TEST_F(JournalOnFakeDisk, ATornEndWasNotAcknowledged) {
  for (int i = 0; i < 4; ++i) append();
  const std::vector<Offset> before = ends();
  for (auto& log : logs) {
    log->append(make_batch({.base_offset = log->end_offset(), .value_bytes = 6000}));
  }
  group->mark_dirty(*logs[0]);
  for (auto& log : logs) group->mark_dirty(*log);
  // The round of the others: their segments, then half a frame.
  executor.step();
  disk.power_off_after(3);
  executor.run_all();
  crash(CrashModel::ordered, 3);
  start();
  for (std::size_t i = 1; i < log_count; ++i) EXPECT_EQ(logs[i]->end_offset(), before[i]);
}

TEST_F(JournalOnFakeDisk, DamageBeforeAFrameThatIsWholeRefusesTheStart) {
  for (int i = 0; i < 6; ++i) append();
  crash(CrashModel::kill);
  disk.flip_bit(journal_file(), journal_block_bytes + 100, 2);
  const Bytes segment_before = disk.content(segment(1));
  const Result<void> started = try_start();
  ASSERT_FALSE(started.has_value());
  EXPECT_EQ(started.error().code, Errc::corrupt);
  EXPECT_NE(started.error().message.find("chronik.journal/0-0"), std::string::npos);
  EXPECT_NE(started.error().message.find("position 4096"), std::string::npos)
      << started.error().message;
  EXPECT_EQ(disk.content(segment(1)), segment_before);
  VerifyReport report = verify_logs(disk, "/data", {}).value();
  EXPECT_EQ(report.damages.size(), 1u);
}

TEST_F(JournalOnFakeDisk, ACutIsNotUndone) {
  for (int i = 0; i < 4; ++i) append();
  ASSERT_TRUE(logs[1]->truncate_after(2));
  group->mark_dirty(*logs[1]);
  executor.run_all();
  // And what was appended behind it is there.
  for (int i = 0; i < 2; ++i) append(40);
  const std::vector<Offset> before = ends();
  EXPECT_EQ(before[1], 4);
  cut_power();
  start();
  EXPECT_EQ(ends(), before);
  EXPECT_EQ(logs[1]->recovery().torn_bytes, 0u);
}

TEST_F(JournalOnFakeDisk, ARestartIsNotUndone) {
  for (int i = 0; i < 4; ++i) append();
  logs[1]->restart_at(nothing_before(100, 50, 3));
  group->mark_dirty(*logs[1]);
  executor.run_all();
  cut_power();
  start();
  EXPECT_EQ(logs[1]->end_offset(), 100);
  EXPECT_EQ(logs[1]->last_index(), 50);
}

TEST_F(JournalOnFakeDisk, WhatADeletedLogHadDoesNotComeIntoTheNextOneThere) {
  for (int i = 0; i < 4; ++i) append(300);
  group->destroy(std::move(logs[1]), [] {});
  executor.run_all();
  ASSERT_TRUE(open(1));
  append(10);
  EXPECT_EQ(logs[1]->end_offset(), 1);
  cut_power();
  start();
  EXPECT_EQ(logs[1]->end_offset(), 1);
  EXPECT_EQ(logs[1]->recovery().torn_bytes, 0u);
}

TEST_F(JournalOnFakeDisk, ARollKeepsItsOrder) {
  auto small = std::make_shared<LogSettings>();
  small->segment_bytes = 400;
  for (auto& log : logs) log->set_settings(small);
  for (int i = 0; i < 20; ++i) append();
  const std::vector<Offset> before = ends();
  EXPECT_GT(environment->counters.journal_frames, 5u);
  EXPECT_GT(logs[1]->segments().size(), 3u);
  cut_power();
  start();
  EXPECT_EQ(ends(), before);
}

TEST_F(JournalOnFakeDisk, AStartWithoutAJournalCopiesWhatThereIsAndRemovesIt) {
  for (int i = 0; i < 4; ++i) append();
  const std::vector<Offset> before = ends();
  cut_power();
  start(false);
  EXPECT_GT(replay.writes, 0u);
  EXPECT_EQ(ends(), before);
  EXPECT_TRUE(journal_files().empty());
}

TEST_F(JournalOnFakeDisk, FilesOfShardsThatAreNoLongerThereAreReplayedAndRemoved) {
  for (int i = 0; i < 4; ++i) append();
  const std::vector<Offset> before = ends();
  cut_power();
  // As if it had been another shard's.
  disk.set_content("/data/chronik.journal/7-0", disk.content(journal_file()));
  disk.set_content(journal_file(), Bytes(options.file_bytes));
  start();
  EXPECT_EQ(ends(), before);
  EXPECT_FALSE(disk.exists("/data/chronik.journal/7-0").value());
}

TEST_F(JournalOnFakeDisk, AFullDiskLeavesTheLogsToBeSyncedInPlace) {
  end();
  options.file_bytes = 1024 * journal_block_bytes;
  options.bytes_max = 4 * options.file_bytes;
  disk.set_capacity(disk.used_bytes() + 100'000);
  start();
  for (int i = 0; i < 4; ++i) append();
  EXPECT_EQ(environment->counters.journal_frames, 0u);
  EXPECT_TRUE(fatal.empty());
}

TEST_F(JournalOnFakeDisk, AFailedSyncOfTheJournalEndsTheProcess) {
  for (int i = 0; i < 4; ++i) append();
  for (auto& log : logs) log->append(make_batch({.base_offset = log->end_offset()}));
  const std::vector<Offset> before = ends();
  group->mark_dirty(*logs[0]);
  for (auto& log : logs) group->mark_dirty(*log);
  executor.step();
  disk.fail_operation(4);  // three writes, the frame, its sync
  executor.run_all();
  ASSERT_EQ(fatal.size(), 1u);
  for (std::size_t i = 1; i < log_count; ++i) EXPECT_LT(logs[i]->durable_end_offset(), before[i]);
}

// A directory as kill -9 and a power cut leave it is no damaged one.
TEST_F(JournalOnFakeDisk, FilesBehindAGapAreRemoved) {
  for (int i = 0; i < 60; ++i) append(2'000);
  ASSERT_GE(journal_files().size(), 4u);  // the epoch, and three
  end();
  // As a power cut may leave the names of files that were being made.
  ASSERT_TRUE(disk.remove("/data/chronik.journal/0-1"));
  ASSERT_TRUE(disk.sync_directory("/data/chronik.journal"));
  const std::shared_ptr<JournalHome> home = begin_journals(disk, "/data", 1, 42).value();
  ASSERT_TRUE(Journal::open(home, 0, options));
  EXPECT_EQ(journal_files().size(), 2u);
}

TEST_F(JournalOnFakeDisk, ToolsReadWhatTheJournalHas) {
  for (int i = 0; i < 4; ++i) append();
  end();
  Random random(5);
  disk.crash(random, CrashModel::ordered);
  // All that the page cache had is lost.
  for (std::size_t i = 1; i < log_count; ++i) {
    Bytes content = disk.content(segment(i));
    content.resize(content.size() / 4 * 4 > 88 ? 88 : content.size());
    disk.set_content(segment(i), content);
  }
  const VerifyReport report = verify_logs(disk, "/data", {}).value();
  EXPECT_TRUE(report.sound());
  EXPECT_EQ(report.torn_tails, 0u);
  EXPECT_GT(report.journal_bytes, 0u);
  // One partition alone too.
  EXPECT_GT(verify_logs(disk, directory(1), {}).value().journal_bytes, 0u);
}

}  // namespace
}  // namespace chronik::wal
