// The journal on a fake disk: what a start makes of its frames.
#include "wal/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "wal/log_repair.h"
#include "wal/log_verify.h"
#include "wal/test_journal.h"

namespace chronik::wal {
namespace {

using testing::log_count;
using testing::make_batch;

class JournalOnFakeDisk : public ::testing::Test, protected testing::ShardOnFakeDisk {};

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
