// When the journal is used, and how what it holds is synced behind the acknowledgements.
#include "wal/journal_commit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <map>

#include "wal/test_journal.h"

namespace chronik::wal {
namespace {

using testing::log_count;
using testing::make_batch;

class JournalCommitOnFakeDisk : public ::testing::Test, protected testing::ShardOnFakeDisk {};

// Syncs are as many for a thousand logs as for a few.
TEST_F(JournalCommitOnFakeDisk, OneCallSyncsAllSegmentsBehindTheJournal) {
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
TEST_F(JournalCommitOnFakeDisk, WhatWaitsIsSyncedOnceNothingComesAnyMore) {
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
TEST_F(JournalCommitOnFakeDisk, TheMoreItHoldsTheSoonerItIsAskedWhetherAnythingComes) {
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
TEST_F(JournalCommitOnFakeDisk, AFileThatIsMadeHasItsTurnNext) {
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
TEST_F(JournalCommitOnFakeDisk, ItComesRoundWithTheFilesThatThereAre) {
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

TEST_F(JournalCommitOnFakeDisk, AFailedSyncOfTheFileSystemEndsTheNode) {
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

// What is written twice costs more than the files of its logs do.
TEST_F(JournalCommitOnFakeDisk, LargeAppendsOfManyLogsAreWrittenOnceAndSyncedByOneCall) {
  end();
  options.round_sync_append_bytes_min = 1000;
  options.round_sync_logs_min = log_count - 1;
  start();
  append();
  const std::uint64_t frames = environment->counters.journal_frames;
  std::map<std::string, int> syncs;
  disk.set_hook([&](DiskOperation operation, const std::string& path) {
    if (operation == DiskOperation::sync_data) ++syncs[path];
  });
  for (int i = 0; i < 5; ++i) append(2000);
  disk.set_hook({});
  EXPECT_EQ(syncs["/data"], 5);
  // The first one is alone in its rounds.
  for (std::size_t i = 1; i < log_count; ++i) EXPECT_EQ(syncs[segment(i)], 0) << i;
  EXPECT_EQ(environment->counters.journal_frames, frames);
  append(20);
  EXPECT_EQ(environment->counters.journal_frames, frames + 1) << "small ones are still journaled";
  const std::vector<Offset> before = ends();
  cut_power();
  start();
  EXPECT_EQ(ends(), before);
}

// It also waits for what others write to that file system.
TEST_F(JournalCommitOnFakeDisk, ASlowSyncOfTheFileSystemIsNotRepeatedWithEachRound) {
  end();
  options.round_sync_append_bytes_min = 1000;
  options.round_sync_logs_min = log_count - 1;
  start();
  append();
  const auto at_once_of = [&](int rounds) {
    const std::uint64_t before = environment->counters.flushes_at_once;
    for (int i = 0; i < rounds; ++i) append(2000);
    return environment->counters.flushes_at_once - before;
  };
  EXPECT_EQ(at_once_of(3), 3u);
  disk.set_sync_time(std::chrono::seconds(1));
  EXPECT_EQ(at_once_of(1), 1u);
  EXPECT_EQ(at_once_of(100), 0u);
  EXPECT_EQ(at_once_of(201), 1u) << "it is tried again, and less often when that was slow, too";
  disk.set_sync_time(std::chrono::milliseconds(1));
  EXPECT_EQ(at_once_of(3), 3u);
}

// One call would leave out what is elsewhere, and its frames would be let go.
TEST_F(JournalCommitOnFakeDisk, LogsOfSeveralFileSystemsAreSyncedEach) {
  end();
  disk.mount(directory(1));
  options.one_file_system = false;
  options.file_system_sync_logs_min = log_count - 1;
  options.round_sync_append_bytes_min = 1000;
  options.round_sync_logs_min = log_count - 1;
  start();
  int whole = 0;
  disk.set_hook([&](DiskOperation operation, const std::string& path) {
    whole += operation == DiskOperation::sync_data && path == "/data";
  });
  for (int i = 0; i < 100; ++i) append(i < 50 ? 500 : 2000);
  for (int i = 1; i < 5; ++i) tick(SteadyTime{} + milliseconds(1000 * i));
  disk.set_hook({});
  EXPECT_EQ(whole, 0);
  EXPECT_GT(environment->counters.journal_releases, 0u);
  EXPECT_EQ(environment->counters.flushes_at_once, 0u);
  const std::vector<Offset> before = ends();
  cut_power();
  start();
  EXPECT_EQ(ends(), before);
}

// Three nodes on one disk would wait for each other with each round.
TEST_F(JournalCommitOnFakeDisk, WhatOthersHaveWrittenIsNotWaitedFor) {
  end();
  options.round_sync_append_bytes_min = 1000;
  options.round_sync_logs_min = log_count - 1;
  start();
  append();
  disk.set_unsynced_bytes_of_others(16 << 20);
  append(2000);
  EXPECT_EQ(environment->counters.flushes_at_once, 0u);
  disk.set_unsynced_bytes_of_others(0);
  append(2000);
  EXPECT_EQ(environment->counters.flushes_at_once, 1u);
}

// Else a thousand logs would need two syncs each, again and again.
TEST_F(JournalCommitOnFakeDisk, CheckpointsOfManyLogsCostNoSyncsOfTheirOwn) {
  end();
  options.file_system_sync_logs_min = log_count;
  options.bytes_max = 16 * options.file_bytes;
  group_options.unsaved_total_bytes_max = 40'000;
  start();
  append();
  int names = 0;
  std::map<std::string, int> syncs;
  disk.set_hook([&](DiskOperation operation, const std::string& path) {
    if (operation == DiskOperation::rename) ++names;
    if (operation == DiskOperation::sync_data || operation == DiskOperation::sync_directory) {
      ++syncs[path];
    }
  });
  constexpr int rounds = 100;
  for (int i = 0; i < rounds; ++i) append(500);
  disk.set_hook({});
  EXPECT_GE(names, 2 * static_cast<int>(log_count));
  EXPECT_GE(syncs["/data"], 2);
  for (std::size_t i = 0; i < log_count; ++i) {
    EXPECT_EQ(syncs[directory(i)], 0) << i;
    EXPECT_EQ(syncs[directory(i) + "/checkpoint.new"], 0) << i;
  }
  const std::vector<Offset> before = ends();
  crash(CrashModel::kill);
  start();
  EXPECT_EQ(ends(), before);
  std::uint64_t scanned = 0;
  for (const auto& log : logs) scanned += log->recovery().scanned_bytes;
  EXPECT_LT(scanned, 2 * group_options.unsaved_total_bytes_max);
}

// It has no directory: there was nothing to make one for.
TEST_F(JournalCommitOnFakeDisk, WhatWasCutBeforeItWasWrittenGetsNoCheckpoint) {
  options.file_system_sync_logs_min = log_count;
  group_options.unsaved_total_bytes_max = 4'000;
  group_options.round_logs_max = 1;
  const LogIdentity identity{"new", 0, testing::test_topic_id(100)};
  for (int steps = 0; steps < 8; ++steps) {
    end();
    start();
    Result<std::unique_ptr<PartitionLog>> opened =
        PartitionLog::open(*environment, "/data/new-0", identity, settings, nullptr);
    ASSERT_TRUE(opened);
    PartitionLog& log = **opened;
    group->add(log);
    log.append(make_batch({.value_bytes = 3000}));
    for (auto& other : logs) {
      other->append(make_batch({.base_offset = other->end_offset(), .value_bytes = 2000}));
    }
    for (auto& other : logs) group->mark_dirty(*other);
    for (int i = 0; i < steps; ++i) executor.step();
    if (log.unsaved_bytes() != 0 && !disk.exists("/data/new-0").value()) {
      ASSERT_TRUE(log.truncate_after(0));
    }
    executor.run_all();
    EXPECT_TRUE(fatal.empty()) << steps;
    bool gone = false;
    group->destroy(std::move(*opened), [&] { gone = true; });
    executor.run_all();
    EXPECT_TRUE(gone);
  }
}

}  // namespace
}  // namespace chronik::wal
