#include "wal/partition_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wal/test_log.h"

namespace chronik::wal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::LogOnFakeDisk;
using testing::make_batch;
using testing::small_segments;
using testing::test_topic_id;

class PartitionLogTest : public ::testing::Test {
 protected:
  PartitionLogTest() { t_.open(); }
  PartitionLog& log() { return *t_.log; }

  LogOnFakeDisk t_;
};

TEST_F(PartitionLogTest, ALogWithoutRecordsHasNoDirectory) {
  EXPECT_EQ(log().end_offset(), 0);
  EXPECT_EQ(log().start_index(), 1);
  EXPECT_EQ(log().last_index(), 0);
  EXPECT_EQ(log().last_epoch(), no_leader_epoch);
  EXPECT_FALSE(log().dirty());
  EXPECT_TRUE(log().read(0, 100, 100, true).value().bytes.empty());
  t_.close();
  EXPECT_THAT(t_.files(), IsEmpty());
}

TEST_F(PartitionLogTest, WhatWasFlushedIsThereAfterAPowerCut) {
  for (int i = 0; i < 30; ++i) t_.append(1 + i % 3);
  const Offset end = log().end_offset();
  EXPECT_EQ(log().durable_end_offset(), 0);
  t_.flush();
  EXPECT_EQ(log().durable_end_offset(), end);
  EXPECT_EQ(log().durable_last_index(), 30);
  const auto before = t_.read_all();
  t_.crash(1, CrashModel::reordered);
  t_.open();
  EXPECT_EQ(log().end_offset(), end);
  EXPECT_EQ(log().last_index(), 30);
  EXPECT_EQ(log().last_epoch(), 0);
  EXPECT_EQ(t_.read_all(), before);
  EXPECT_EQ(t_.derived.seen.size(), 30u);
  EXPECT_EQ(log().recovery().torn_bytes, 0u);
}

TEST_F(PartitionLogTest, ACleanStopMakesTheStartScanNothing) {
  for (int i = 0; i < 30; ++i) t_.append();
  const auto before = t_.read_all();
  t_.close();
  t_.crash(1, CrashModel::reordered);
  t_.open();
  EXPECT_EQ(log().recovery().scanned_bytes, 0u);
  EXPECT_EQ(log().unsaved_bytes(), 0u);
  EXPECT_EQ(t_.derived.applied, 0) << "the state came from the checkpoint";
  EXPECT_EQ(t_.derived.seen.size(), 30u);
  EXPECT_EQ(t_.read_all(), before);
  t_.append();
  t_.flush();
  t_.reopen();
  EXPECT_EQ(log().end_offset(), 31);
  EXPECT_EQ(t_.derived.applied, 1);
}

TEST_F(PartitionLogTest, EntriesAreReadFromMemoryBeforeTheyAreWritten) {
  t_.append(2);
  t_.append(3);
  EXPECT_THAT(t_.read_all(), ElementsAre(0, 2));
  FlushJob job = log().begin_flush();
  t_.append(1);
  EXPECT_THAT(t_.read_all(), ElementsAre(0, 2, 5));
  job.run();
  log().end_flush(std::move(job));
  EXPECT_EQ(log().durable_end_offset(), 5);
  EXPECT_THAT(t_.read_all(), ElementsAre(0, 2, 5));
  EXPECT_TRUE(log().dirty());
  // Only whole batches below the bound.
  EXPECT_EQ(log().read(0, 1000, 4, true).value().next, 2);
  EXPECT_EQ(log().read(0, 1000, 1, true).value().next, 0);
}

TEST_F(PartitionLogTest, RollsBySizeAndSyncsTheOldSegmentFirst) {
  for (int i = 0; i < 40; ++i) t_.append();
  t_.flush();
  const auto segments = log().segments();
  ASSERT_GT(segments.size(), 2u);
  for (const SegmentInfo& segment : segments) {
    EXPECT_LE(segment.size_bytes, 1000u);
    EXPECT_EQ(segment.size_bytes, t_.disk.content(t_.file(segment.base_offset)).size());
  }
  EXPECT_TRUE(segments.back().active);
  EXPECT_EQ(t_.read_all().size(), 40u);
}

TEST_F(PartitionLogTest, RollsByRecordTimeAsKafka) {
  auto settings = small_segments(1'000'000);
  settings->segment_ms = milliseconds(100);
  settings->segment_jitter_ms = milliseconds(10);
  log().set_settings(settings);
  const auto append_at = [&](Timestamp time) {
    log().append(make_batch({.base_offset = log().end_offset(), .first_timestamp = time}));
  };
  append_at(1000);
  append_at(1090);
  EXPECT_EQ(log().segments().size(), 1u);
  append_at(500);
  EXPECT_EQ(log().segments().size(), 1u);
  append_at(1091);
  EXPECT_EQ(log().segments().size(), 2u);
}

TEST_F(PartitionLogTest, ReadsKeepTheirLimits) {
  t_.append(1);
  t_.flush();
  const std::uint64_t one = log().size_bytes();
  for (int i = 0; i < 19; ++i) t_.append(1);
  t_.flush();
  for (Offset from = 0; from < 20; ++from) {
    for (const std::uint64_t max :
         {std::uint64_t{0}, one - 1, one, 2 * one - 1, 3 * one, 100 * one}) {
      const LogSlice one_at_least = log().read(from, max, 20, true).value();
      const LogSlice strict = log().read(from, max, 20, false).value();
      const Offset room = static_cast<Offset>(max / one);
      const auto segment_end = [&] {
        for (const SegmentInfo& segment : log().segments()) {
          if (segment.base_offset > from) return segment.base_offset;
        }
        return Offset{20};
      }();
      EXPECT_EQ(strict.next, std::min(segment_end, from + room)) << from << " " << max;
      EXPECT_EQ(one_at_least.next, std::min(segment_end, from + std::max<Offset>(1, room)));
      EXPECT_LE(strict.bytes.size(), max);
      EXPECT_EQ(strict.bytes.size(), static_cast<std::uint64_t>(strict.next - from) * one);
    }
    for (Offset below = from; below <= 20; ++below) {
      EXPECT_LE(log().read(from, 1 << 20, below, true).value().next, std::max(from, below));
    }
  }
  EXPECT_EQ(log().read(21, 1, 100, true).error().code, Errc::out_of_range);
  EXPECT_EQ(log().read(-1, 1, 100, true).error().code, Errc::out_of_range);
  EXPECT_TRUE(log().read(20, 1, 100, true).value().bytes.empty());
}

TEST_F(PartitionLogTest, AnOffsetInsideOfABatchGivesTheWholeBatch) {
  t_.append(5);
  t_.append(5);
  for (const bool flushed : {false, true}) {
    if (flushed) t_.flush();
    const LogSlice slice = log().read(7, 1 << 20, 10, true).value();
    EXPECT_EQ(slice.first, 5);
    EXPECT_EQ(slice.next, 10);
    EXPECT_TRUE(log().read(7, 1 << 20, 9, true).value().bytes.empty());
  }
}

// Offset and epoch of a batch lie outside of its checksum. A replica that is sent another epoch
// than the leader's would take it over, and the logs of the two would differ for ever.
TEST_F(PartitionLogTest, EntriesWithAFlippedOffsetOrEpochAreNotReplicated) {
  for (const std::uint64_t position : {7u, 15u}) {
    LogOnFakeDisk t;
    t.open();
    for (int i = 0; i < 4; ++i) t.append();
    const std::uint64_t third = t.log->size_bytes() / 2;
    t.close();
    t.disk.flip_bit(t.file(0), third + position, 1);
    t.reopen();
    EXPECT_TRUE(t.log->read_entries(1, 1)) << "the one behind it is good";
    for (const EntryIndex from : {1, 3}) {
      const auto read = t.log->read_entries(from, 1 << 20);
      ASSERT_FALSE(read);
      EXPECT_EQ(read.error().code, Errc::corrupt);
    }
  }
}

// In a cluster damage is mended from other nodes, a newer format is not.
TEST_F(PartitionLogTest, ACheckpointWithAFlippedVersionIsDamagedAndNotOfANewerBuild) {
  t_.append(3);
  t_.close();
  t_.disk.flip_bit(t_.directory + "/checkpoint", 8, 4);
  t_.start_process();
  const Result<void> refused = t_.try_open();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::corrupt);
}

TEST_F(PartitionLogTest, ReadsStepOverEntriesOfRaftsOwn) {
  t_.append_raft(1);
  t_.append(1);
  t_.append_raft(2);
  t_.append_raft(3);
  t_.append(2);
  t_.append(1);
  t_.append_raft(4);
  for (const std::string_view state : {"in memory", "flushed", "reopened", "clean"}) {
    SCOPED_TRACE(state);
    if (state == "flushed") t_.flush();
    if (state == "reopened") t_.reopen();
    if (state == "clean") {
      t_.close();
      t_.reopen();
    }
    EXPECT_EQ(log().end_offset(), 4);
    EXPECT_EQ(log().last_index(), 7);
    EXPECT_EQ(log().last_epoch(), 4);
    for (const std::uint64_t max : {1u, 100u, 200u, 300u, 100'000u}) {
      EXPECT_THAT(t_.read_all(max), ElementsAre(0, 1, 3)) << max;
    }
    EXPECT_TRUE(log().read(4, 1000, 4, true).value().bytes.empty());
    const EntrySlice all = log().read_entries(1, 1 << 20).value();
    EXPECT_EQ(all.next, 8);
    EXPECT_EQ(all.bytes.size(), log().size_bytes());
    EXPECT_EQ(log().read_entries(3, 1).value().next, 4);
    EXPECT_EQ(log().read_entries(8, 1).value().next, 8);
    EXPECT_EQ(log().read_entries(9, 1).error().code, Errc::out_of_range);
    EXPECT_EQ(log().epoch_at(1), 1);
    EXPECT_EQ(log().epoch_at(2), 1);
    EXPECT_EQ(log().epoch_at(3), 2);
    EXPECT_EQ(log().epoch_at(7), 4);
    EXPECT_EQ(log().epoch_at(8), std::nullopt);
  }
}

TEST_F(PartitionLogTest, FindsTheFirstRecordOfATime) {
  // Times 1000, 1001, ... by offset; one batch of five records.
  for (int i = 0; i < 20; ++i) t_.append(5);
  for (const bool flushed : {false, true}) {
    if (flushed) t_.flush();
    for (const Timestamp target : {0, 999, 1000, 1003, 1005, 1050, 1099}) {
      const auto found = log().find_by_time(target, 100).value();
      ASSERT_TRUE(found.has_value()) << target;
      EXPECT_EQ(found->offset, std::max<Offset>(0, target - 1000));
      EXPECT_EQ(found->timestamp, std::max<Timestamp>(1000, target));
      EXPECT_EQ(found->leader_epoch, 0);
    }
    EXPECT_EQ(log().find_by_time(1100, 100).value(), std::nullopt);
    EXPECT_EQ(log().find_by_time(1050, 50).value(), std::nullopt);
    EXPECT_EQ(log().find_max_timestamp(100).value()->offset, 99);
    EXPECT_EQ(log().find_max_timestamp(50).value()->offset, 49);
    EXPECT_EQ(log().find_max_timestamp(0).value(), std::nullopt);
  }
  ASSERT_TRUE(log().delete_before(42));
  EXPECT_EQ(log().find_by_time(0, 100).value()->offset, 42);
}

TEST_F(PartitionLogTest, FindsTimesThatAreOutOfOrder) {
  const Timestamp times[] = {500, 900, 100, 900, 700, 950, 50, 50};
  for (const Timestamp time : times) {
    log().append(make_batch({.base_offset = log().end_offset(), .first_timestamp = time}));
    t_.flush();
  }
  EXPECT_EQ(log().find_by_time(600, 8).value()->offset, 1);
  EXPECT_EQ(log().find_by_time(901, 8).value()->offset, 5);
  EXPECT_EQ(log().find_max_timestamp(8).value()->offset, 5);
  EXPECT_EQ(log().find_max_timestamp(5).value()->offset, 1) << "the first of two equal ones";
  EXPECT_EQ(log().find_by_time(951, 8).value(), std::nullopt);
}

TEST_F(PartitionLogTest, AnswersOffsetForLeaderEpochAsKafka) {
  EXPECT_EQ(log().end_offset_for_epoch(0), std::nullopt);
  log().start_epoch(0);
  EXPECT_EQ(log().end_offset_for_epoch(0), (EpochEnd{0, 0}));
  t_.append(4);
  t_.append(6, {.epoch = 3});
  t_.append(2, {.epoch = 5});
  t_.flush();
  EXPECT_EQ(log().end_offset_for_epoch(0), (EpochEnd{0, 4}));
  EXPECT_EQ(log().end_offset_for_epoch(2), (EpochEnd{0, 4}));
  EXPECT_EQ(log().end_offset_for_epoch(3), (EpochEnd{3, 10}));
  EXPECT_EQ(log().end_offset_for_epoch(5), (EpochEnd{5, 12}));
  EXPECT_EQ(log().end_offset_for_epoch(6), std::nullopt);
  EXPECT_EQ(log().end_offset_for_epoch(-1), std::nullopt);
  ASSERT_TRUE(log().delete_before(7));
  EXPECT_EQ(log().end_offset_for_epoch(0), (EpochEnd{0, 7})) << "older than what is left";
  t_.close();
  t_.reopen();
  EXPECT_EQ(log().end_offset_for_epoch(1), (EpochEnd{1, 7}));
  EXPECT_EQ(log().end_offset_for_epoch(4), (EpochEnd{3, 10}));
}

TEST_F(PartitionLogTest, DeleteRecordsMovesTheStartDurably) {
  for (int i = 0; i < 40; ++i) t_.append();
  t_.flush();
  const auto count_logs = [&] {
    const auto files = t_.files();
    return std::count_if(files.begin(), files.end(),
                         [](const std::string& file) { return file.ends_with(".log"); });
  };
  const auto logs = count_logs();
  const EntryIndex last = log().last_index();
  EXPECT_EQ(log().delete_before(41).error().code, Errc::out_of_range);
  ASSERT_TRUE(log().delete_before(25));
  EXPECT_EQ(log().log_start_offset(), 25);
  EXPECT_EQ(log().durable_log_start_offset(), 0);
  EXPECT_EQ(log().read(24, 1, 40, true).error().code, Errc::out_of_range);
  EXPECT_TRUE(log().dirty());
  t_.close();
  EXPECT_LT(count_logs(), logs);
  t_.crash(3, CrashModel::reordered);
  t_.open();
  EXPECT_EQ(log().log_start_offset(), 25);
  EXPECT_EQ(log().last_index(), last);
  EXPECT_GT(log().start_index(), 1);
  EXPECT_EQ(log().read(25, 1, 40, true).value().first, 25);
  ASSERT_TRUE(log().delete_before(10));
  EXPECT_EQ(log().log_start_offset(), 25) << "never back";
  EXPECT_TRUE(log().dirty()) << "who found the deletion cannot know that it is durable";
  t_.close();
}

TEST_F(PartitionLogTest, RetentionBySizeKeepsAtLeastThatMuch) {
  auto settings = small_segments();
  settings->retention_ms.reset();
  settings->retention_bytes = 2500;
  log().set_settings(settings);
  for (int i = 0; i < 60; ++i) t_.append();
  EXPECT_EQ(log().apply_retention(0), 0u) << "nothing is durable yet";
  t_.flush();
  EXPECT_GT(log().apply_retention(0), 0u);
  EXPECT_GE(log().size_bytes(), 2500u);
  EXPECT_LT(log().size_bytes(), 2500u + 1000u);
  EXPECT_EQ(log().log_start_offset(), log().segments().front().base_offset);
  EXPECT_EQ(log().end_offset(), 60);
}

TEST_F(PartitionLogTest, RetentionByTimeDropsTheActiveSegmentToo) {
  auto settings = small_segments();
  settings->retention_ms = milliseconds(1000);
  log().set_settings(settings);
  for (int i = 0; i < 40; ++i) t_.append();
  t_.flush();
  EXPECT_EQ(log().apply_retention(2000), 0u);
  EXPECT_GT(log().apply_retention(2020), 0u);
  EXPECT_GT(log().size_bytes(), 0u);
  log().apply_retention(5000);
  EXPECT_EQ(log().size_bytes(), 0u);
  EXPECT_EQ(log().log_start_offset(), 40);
  EXPECT_EQ(log().start_index(), 41);
  t_.close();
  t_.reopen();
  EXPECT_EQ(log().log_start_offset(), 40);
  EXPECT_EQ(log().end_offset(), 40);
  EXPECT_EQ(log().last_index(), 40);
  t_.append();
  t_.flush();
  t_.reopen();
  EXPECT_THAT(t_.read_all(), ElementsAre(40));
  EXPECT_EQ(log().last_index(), 41);
}

TEST_F(PartitionLogTest, RetentionIsOffWithoutDeleteInTheCleanupPolicy) {
  auto settings = small_segments();
  settings->delete_old = false;
  settings->retention_bytes = 0;
  log().set_settings(settings);
  for (int i = 0; i < 40; ++i) t_.append();
  t_.flush();
  EXPECT_EQ(log().apply_retention(1'000'000'000'000), 0u);
}

TEST_F(PartitionLogTest, TruncatesInMemoryInFilesAndAcrossSegments) {
  for (int i = 0; i < 40; ++i) t_.append(1, {.epoch = i / 10});
  t_.flush();
  for (int i = 0; i < 5; ++i) t_.append();
  ASSERT_TRUE(log().truncate_after(42));
  EXPECT_EQ(log().end_offset(), 42);
  EXPECT_EQ(log().durable_end_offset(), 40);
  EXPECT_EQ(t_.read_all().size(), 42u);
  ASSERT_TRUE(log().truncate_after(17));
  EXPECT_EQ(log().end_offset(), 17);
  EXPECT_EQ(log().durable_end_offset(), 17);
  EXPECT_EQ(log().last_epoch(), 1);
  EXPECT_EQ(t_.derived.seen.size(), 17u);
  t_.append(1, {.epoch = 9, .seed = 77});
  EXPECT_EQ(t_.read_all().size(), 18u);
  EXPECT_EQ(log().epoch_at(18), 9);
  t_.flush();
  t_.crash(5, CrashModel::reordered);
  t_.open();
  EXPECT_EQ(log().end_offset(), 18);
  EXPECT_EQ(log().last_epoch(), 9);
  EXPECT_EQ(t_.read_all().size(), 18u);
  EXPECT_EQ(log().truncate_after(19).error().code, Errc::out_of_range);
  ASSERT_TRUE(log().truncate_after(0));
  EXPECT_EQ(log().end_offset(), 0);
  t_.append(3);
  t_.close();
  t_.reopen();
  EXPECT_THAT(t_.read_all(), ElementsAre(0));
}

TEST_F(PartitionLogTest, WhatIsCutBeforeItWasWrittenLeavesNothingToSave) {
  t_.append(2);
  t_.append(3);
  ASSERT_TRUE(log().truncate_after(1));
  const std::uint64_t one = log().size_bytes();
  EXPECT_EQ(log().unsaved_bytes(), one);
  ASSERT_TRUE(log().truncate_after(0));
  EXPECT_EQ(log().unsaved_bytes(), 0u);
  EXPECT_FALSE(log().checkpoint_due());
  t_.close();
  EXPECT_THAT(t_.files(), IsEmpty());
}

// The next start found it, and had something to do again.
TEST_F(PartitionLogTest, ASegmentThatIsCutToNothingTakesItsIndexAlong) {
  t_.append(3);
  t_.close();
  t_.reopen();
  const Offset next = log().end_offset();
  const auto write = [&](std::string_view suffix) {
    const auto file = t_.disk.open(t_.file(next, suffix), OpenMode::create).value();
    ASSERT_TRUE(file->write_at(0, as_bytes("no batch begins like this")));
  };
  write(log_suffix);
  write(index_suffix);
  t_.reopen();
  EXPECT_NE(log().recovery().torn_bytes, 0u);
  EXPECT_THAT(t_.files(), ::testing::Not(::testing::Contains(t_.file(next, index_suffix))));
}

TEST_F(PartitionLogTest, ATruncationMayMeetAFlushInFlight) {
  for (int i = 0; i < 5; ++i) t_.append();
  FlushJob job = log().begin_flush();
  for (int i = 0; i < 5; ++i) t_.append();
  ASSERT_TRUE(log().truncate_after(3));
  t_.append(2, {.seed = 9});
  EXPECT_EQ(log().end_offset(), 5);
  EXPECT_EQ(t_.read_all(), (std::vector<Offset>{0, 1, 2, 3}));
  job.run();
  log().end_flush(std::move(job));
  EXPECT_EQ(log().durable_end_offset(), 3);
  EXPECT_EQ(t_.read_all(), (std::vector<Offset>{0, 1, 2, 3}));
  t_.flush();
  EXPECT_EQ(log().durable_end_offset(), 5);
  EXPECT_EQ(t_.read_all(), (std::vector<Offset>{0, 1, 2, 3}));
  t_.crash(5, CrashModel::reordered);
  t_.open();
  EXPECT_EQ(t_.read_all(), (std::vector<Offset>{0, 1, 2, 3}));
  EXPECT_EQ(log().end_offset(), 5);
}

TEST_F(PartitionLogTest, AFailedWriteOrSyncIsFatalAndMovesNothing) {
  for (std::uint64_t n = 0;; ++n) {
    LogOnFakeDisk t;
    t.open();
    t.append();
    t.disk.fail_operation(n);
    const bool flushed = t.log->flush().has_value();
    ASSERT_EQ(flushed, !t.disk.struck()) << n;
    if (flushed) break;
    EXPECT_EQ(t.fatal.size(), 1u);
    EXPECT_EQ(t.log->durable_end_offset(), 0);
    t.append();
    EXPECT_FALSE(t.log->flush().has_value()) << "a poisoned log stays so";
    EXPECT_EQ(t.log->durable_end_offset(), 0);
    ASSERT_LT(n, 20u) << "the loop must get through a whole flush";
  }
}

TEST_F(PartitionLogTest, PageCacheModeAcknowledgesBeforeTheSync) {
  auto settings = small_segments();
  settings->flush_mode = FlushMode::page_cache;
  log().set_settings(settings);
  int syncs = 0;
  t_.disk.set_hook([&](DiskOperation operation, const std::string&) {
    if (operation == DiskOperation::sync_data) ++syncs;
  });
  for (int i = 0; i < 5; ++i) {
    t_.append();
    t_.flush();
    EXPECT_EQ(log().durable_end_offset(), i + 1);
  }
  EXPECT_EQ(syncs, 0);
  EXPECT_TRUE(log().has_unsynced());
  for (int i = 0; i < 40; ++i) {
    t_.append();
    t_.flush();
  }
  EXPECT_GT(log().segments().size(), 2u);
  EXPECT_EQ(syncs, static_cast<int>(log().segments().size()) - 1) << "sealed segments are synced";
  FlushJob job = log().begin_flush(true);
  job.run();
  log().end_flush(std::move(job));
  EXPECT_FALSE(log().has_unsynced());
  t_.crash(1, CrashModel::ordered);
  t_.open();
  EXPECT_EQ(log().end_offset(), 45);
}

TEST_F(PartitionLogTest, HandlesAreOpenedLazilyAndClosedAgain) {
  for (int i = 0; i < 40; ++i) t_.append();
  t_.close();
  t_.reopen();
  EXPECT_EQ(t_.disk.open_files(), 0u);
  t_.read_all();
  EXPECT_GT(t_.disk.open_files(), 0u);
  EXPECT_EQ(t_.disk.open_files(), t_.environment->files.count());
  t_.environment->files.shrink();
  t_.environment->files.shrink();
  t_.read_all();
  t_.log.reset();
  EXPECT_EQ(t_.disk.open_files(), 0u);
}

TEST_F(PartitionLogTest, ADamagedIndexIsRebuilt) {
  for (int i = 0; i < 30; ++i) t_.append();
  log().set_settings(small_segments(1'000'000));
  for (int i = 0; i < 100; ++i) t_.append();
  t_.close();
  for (const std::string& path : t_.files()) {
    if (!path.ends_with(".index")) continue;
    for (const std::uint64_t position : {std::uint64_t{3}, std::uint64_t{70}}) {
      t_.disk.flip_bit(path, position, 2);
      t_.reopen();
      EXPECT_EQ(t_.read_all(100).size(), 130u);
      EXPECT_EQ(log().find_by_time(1100, 200).value()->offset, 100);
      EXPECT_GT(t_.environment->counters.indexes_rebuilt, 0u);
      t_.close();
      t_.reopen();
      EXPECT_EQ(t_.read_all(100).size(), 130u);
      EXPECT_EQ(log().find_by_time(1100, 200).value()->offset, 100);
      EXPECT_EQ(t_.environment->counters.indexes_rebuilt, 0u) << "it was saved";
      t_.close();
    }
    ASSERT_TRUE(t_.disk.remove(path));
    t_.reopen();
    EXPECT_EQ(t_.read_all(100).size(), 130u);
    t_.close();
  }
}

// The end is found in memory, and then the file was read without a way out.
TEST_F(PartitionLogTest, ATruncationRebuildsADamagedIndex) {
  log().set_settings(small_segments(1'000'000));
  for (int i = 0; i < 30; ++i) t_.append();
  t_.close();
  for (const bool missing : {false, true}) {
    t_.reopen();
    log().set_settings(small_segments(1'000'000));
    for (int i = 0; i < 10; ++i) t_.append();
    t_.disk.set_content(t_.file(0, ".index"), Bytes(70));
    if (missing) {
      ASSERT_TRUE(t_.disk.remove(t_.file(0, ".index")));
    }
    ASSERT_TRUE(log().truncate_after(log().last_index() - 1));
    t_.append();
    t_.close();
    t_.reopen();
    EXPECT_EQ(t_.read_all(100).size(), missing ? 50u : 40u);
    EXPECT_EQ(log().find_by_time(1035, 40).value()->offset, 35);
    EXPECT_EQ(t_.environment->counters.indexes_rebuilt, 0u) << "it was saved";
    t_.close();
  }
}

TEST_F(PartitionLogTest, ACreatedLogSetsADeletedTopicsDirectoryAside) {
  t_.append(3);
  t_.close();
  auto again = PartitionLog::create(*t_.environment, t_.directory, {"t", 0, test_topic_id(2)},
                                    small_segments(), nullptr);
  again->append(make_batch({.records = 1}));
  ASSERT_TRUE(again->flush());
  again.reset();
  EXPECT_EQ(t_.try_open().error().code, Errc::invalid_argument) << "another topic's directory";
  auto reopened = PartitionLog::open(*t_.environment, t_.directory, {"t", 0, test_topic_id(2)},
                                     small_segments(), nullptr);
  EXPECT_EQ((*reopened)->end_offset(), 1);
  EXPECT_TRUE(t_.disk.exists("/data/" + test_topic_id().to_string() + "-0.deleted").value());
}

TEST_F(PartitionLogTest, AppendsAreCheckedAgainstBugs) {
  EXPECT_DEATH(log().append(make_batch({.base_offset = 1})), "base offset 1");
  t_.append(1, {.epoch = 4});
  EXPECT_DEATH(log().append(make_batch({.base_offset = 1, .epoch = 3})), "epoch 3 after 4");
  EXPECT_DEATH(log().append(SharedBytes::allocate(10)), "size");
}

}  // namespace
}  // namespace chronik::wal
