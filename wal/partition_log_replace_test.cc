// A log that goes on behind a snapshot, whenever the power goes; and Raft's own entries of a log
// that was opened.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wal/test_log.h"

namespace chronik::wal {
namespace {

using ::testing::ElementsAre;
using testing::LogOnFakeDisk;

std::vector<EntryIndex> own_indexes(PartitionLog& log) {
  const std::vector<OwnEntry> entries = log.own_entries().value();
  std::vector<EntryIndex> indexes;
  indexes.reserve(entries.size());
  for (const OwnEntry& entry : entries) indexes.push_back(entry.index);
  return indexes;
}

TEST(ReplacedLog, GoesOnBehindASnapshotAndKeepsItsEpoch) {
  LogOnFakeDisk t;
  t.open();
  for (int i = 0; i < 40; ++i) t.append(1, {.epoch = i / 10});
  t.flush();
  for (int i = 0; i < 3; ++i) t.append();  // not written yet
  t.log->restart_at(nothing_before(1000, 500, 7));
  EXPECT_TRUE(t.log->cut_pending());
  EXPECT_EQ(t.log->start_index(), 501);
  EXPECT_EQ(t.log->last_index(), 500);
  EXPECT_EQ(t.log->epoch_at(500), 7);
  EXPECT_EQ(t.log->epoch_at(499), std::nullopt);
  t.append(2, {.epoch = 8});
  t.flush();
  EXPECT_FALSE(t.log->cut_pending());
  t.crash(3, CrashModel::reordered);
  t.open();
  EXPECT_EQ(t.log->log_start_offset(), 1000);
  EXPECT_THAT(t.read_all(), ElementsAre(1000));
  EXPECT_EQ(t.log->last_index(), 501);
  EXPECT_EQ(t.log->epoch_at(500), 7);
  EXPECT_EQ(t.log->epoch_at(501), 8);
}

TEST(ReplacedLog, RestartsAlsoWhereTheOldLogGoesBeyondTheSnapshot) {
  LogOnFakeDisk t;
  t.open();
  t.append(1, {.epoch = 1});
  t.flush();
  for (int i = 0; i < 59; ++i) t.append(1, {.epoch = 1});
  FlushJob job = t.log->begin_flush();  // in flight while the log is replaced
  t.log->restart_at(nothing_before(30, 25, 2));
  t.append(1, {.epoch = 3, .seed = 9});
  job.run();
  t.log->end_flush(std::move(job));
  EXPECT_EQ(t.log->durable_last_index(), 25);
  EXPECT_TRUE(t.log->cut_pending());
  t.flush();
  t.crash(8, CrashModel::reordered);
  t.open();
  EXPECT_THAT(t.read_all(), ElementsAre(30));
  EXPECT_EQ(t.log->last_index(), 26);
  EXPECT_EQ(t.log->last_epoch(), 3);
}

TEST(ReplacedLog, IsTheOldOneOrTheNewOneAfterEveryPowerCut) {
  bool was_old = false;
  bool was_new = false;
  for (const CrashModel model : {CrashModel::ordered, CrashModel::reordered}) {
    for (std::uint64_t n = 0;; ++n) {
      LogOnFakeDisk t;
      t.open();
      for (int i = 0; i < 60; ++i) t.append(1, {.epoch = 1});
      t.flush();
      t.log->restart_at(nothing_before(30, 25, 2));
      t.append(1, {.epoch = 3, .seed = 9});
      t.disk.power_off_after(n);
      const bool whole = t.log->flush().has_value();
      ASSERT_EQ(whole, !t.disk.struck());
      t.crash(n, model);
      t.open();
      const bool restarted = t.log->log_start_offset() == 30;
      was_old = was_old || !restarted;
      was_new = was_new || restarted;
      if (restarted) {
        EXPECT_GE(t.log->last_index(), 25) << n;
        EXPECT_LE(t.log->last_index(), 26) << n;
        EXPECT_EQ(t.log->epoch_at(25), 2) << n;
      } else {
        EXPECT_FALSE(whole) << n;
        EXPECT_EQ(t.log->log_start_offset(), 0) << n;
        EXPECT_EQ(t.log->last_index(), t.log->end_offset()) << n;
        if (t.log->last_index() > 0) {
          EXPECT_EQ(t.log->last_epoch(), 1) << n;
        }
      }
      EXPECT_EQ(t.read_all().size(),
                static_cast<std::size_t>(t.log->end_offset() - t.log->log_start_offset()));
      if (whole) break;
      ASSERT_LT(n, 1000u);
    }
  }
  EXPECT_TRUE(was_old && was_new);
}

TEST(ReplacedLog, TellsRaftsOwnEntriesWithTheirIndex) {
  LogOnFakeDisk t;
  t.open();
  EXPECT_TRUE(own_indexes(*t.log).empty());
  t.append_raft(1);
  t.append_raft(1);
  for (int i = 0; i < 30; ++i) t.append();
  t.append_raft(2);
  EXPECT_THAT(own_indexes(*t.log), ElementsAre(1, 2, 33));
  t.close();
  t.reopen();
  ASSERT_GT(t.log->segments().size(), 2u);
  t.append(1);
  t.append_raft(3);
  EXPECT_THAT(own_indexes(*t.log), ElementsAre(1, 2, 33, 35));
  const SharedBytes bytes = t.log->own_entries().value()[2].bytes;
  EXPECT_EQ(protocol::read_batch_header(bytes.view()).leader_epoch, 2);
  EXPECT_EQ(protocol::read_batch_header(bytes.view()).base_offset, 30);
}

}  // namespace
}  // namespace chronik::wal
