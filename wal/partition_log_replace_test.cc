// A log that goes on behind a snapshot, whenever the power goes; and Raft's own entries of a log
// that was opened; and what a cut leaves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wal/test_log.h"

namespace chronik::wal {
namespace {

using ::testing::ElementsAre;
using testing::LogOnFakeDisk;
using testing::make_batch;
using testing::small_segments;
using testing::test_topic_id;

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

TEST(ReplacedLog, GoesOnBehindTheSnapshotWhenWhatCameBehindItIsCutBeforeItIsWritten) {
  LogOnFakeDisk t;
  t.open();
  t.append();
  t.flush();
  t.log->restart_at(nothing_before(30, 25, 2));
  t.flush();
  // Nothing is left that could be removed.
  t.log->restart_at(nothing_before(50, 45, 2));
  t.append(1, {.epoch = 3});
  ASSERT_TRUE(t.log->truncate_after(45));
  t.flush();
  t.append(1, {.epoch = 4});
  t.flush();
  t.crash(1, CrashModel::reordered);
  t.open();
  EXPECT_EQ(t.log->log_start_offset(), 50);
  EXPECT_EQ(t.log->last_index(), 46);
  EXPECT_EQ(t.log->last_epoch(), 4);
}

// A replica that has acknowledged entries keeps them all until the snapshot has taken their place.
TEST(ReplacedLog, IsWhollyTheOldOneOrTheNewOneWhereTheOldOneEndsBeforeTheSnapshot) {
  bool was_old = false;
  bool was_new = false;
  for (const CrashModel model : {CrashModel::ordered, CrashModel::reordered}) {
    for (std::uint64_t n = 0;; ++n) {
      LogOnFakeDisk t;
      t.open();
      for (int i = 0; i < 60; ++i) t.append(1, {.epoch = 1});
      t.flush();
      t.log->restart_at(nothing_before(90, 75, 2));
      t.append(1, {.epoch = 3, .seed = 9});
      t.disk.power_off_after(n);
      const bool whole = t.log->flush().has_value();
      t.crash(n, model);
      t.open();
      EXPECT_FALSE(t.log->recovery().cut_under_way) << n;
      if (t.log->log_start_offset() == 90) {
        was_new = true;
        EXPECT_GE(t.log->last_index(), 75) << n;
        EXPECT_EQ(t.log->epoch_at(75), 2) << n;
      } else {
        was_old = true;
        EXPECT_FALSE(whole) << n;
        EXPECT_EQ(t.log->last_index(), 60) << n;
        EXPECT_EQ(t.log->last_epoch(), 1) << n;
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

// Entries of Raft's own take no offset: all offsets of a segment may be committed before its last
// entry is, which may still be cut. The simulator saw a leader that had deleted one (61007503).
TEST(ReplacedLog, WhatMayStillBeCutIsNotDeleted) {
  LogOnFakeDisk t;
  t.open();
  for (int i = 0; i < 4; ++i) t.append(1, {.epoch = 1});
  t.append_raft(1);
  ASSERT_EQ(t.log->segments().size(), 1u);
  while (t.log->segments().size() == 1) t.append(1, {.epoch = 1});
  t.flush();
  const Offset next = t.log->segments()[1].base_offset;
  const EntryIndex last = t.log->last_index() - 1;
  ASSERT_TRUE(t.log->delete_before(next, last - 1));
  EXPECT_EQ(t.log->log_start_offset(), next);
  EXPECT_EQ(t.log->start_index(), 1);
  EXPECT_EQ(t.log->apply_retention(0, next, last - 1), 0u);
  EXPECT_EQ(t.log->start_index(), 1);
  EXPECT_EQ(t.log->apply_retention(0, next, last), 1u);
  EXPECT_EQ(t.log->start_index(), last + 1);
}

/// How many entries there ever were, up to where.
struct CountOfEntries final : DerivedState {
  void apply(const protocol::BatchHeader& header) override { ends.push_back(header.next_offset()); }
  Bytes save_below(Offset end) const override {
    Writer writer;
    for (const Offset at : ends) {
      if (at <= end) writer.i64(at);
    }
    return writer.take_bytes();
  }
  Result<void> restore(ByteView saved) override {
    ends.clear();
    Reader reader(saved);
    while (reader.remaining() != 0) ends.push_back(reader.i64());
    return {};
  }
  bool forget_beyond(Offset end) override {
    if (!forgets) return false;
    std::erase_if(ends, [end](Offset at) { return at > end; });
    return true;
  }
  void reset() override { ends.clear(); }

  std::vector<Offset> ends;
  bool forgets = false;
};

// A producer whose last batch was deleted by retention would be taken for a new one, and what it
// repeats for new records.
TEST(CutLog, LeavesWhatDeletedSegmentsTaught) {
  const LogOnFakeDisk t;
  for (const bool forgets : {false, true}) {
    CountOfEntries derived;
    derived.forgets = forgets;
    const std::string directory = forgets ? "/data/forgets-0" : "/data/replays-0";
    auto opened = PartitionLog::open(*t.environment, directory,
                                     {forgets ? "forgets" : "replays", 0, test_topic_id()},
                                     small_segments(500), &derived);
    ASSERT_TRUE(opened) << opened.error().message;
    PartitionLog& log = **opened;
    for (int i = 0; i < 40; ++i) log.append(make_batch({.base_offset = i}));
    ASSERT_TRUE(log.flush());
    ASSERT_TRUE(log.delete_before(20));
    ASSERT_GT(log.start_index(), 10);
    ASSERT_TRUE(log.truncate_after(30));
    EXPECT_EQ(derived.ends.size(), 30u);
    ASSERT_TRUE(log.close());
  }
}

// A replica with an empty log could not be given what lies before an entry in mid-segment.
TEST(SealedLog, GoesOnInASegmentWhoseBeginCanBeGiven) {
  LogOnFakeDisk t;
  t.open();
  t.append(2, {.epoch = 1});
  t.append(3);
  t.flush();
  t.crash(1, CrashModel::ordered);
  t.open();
  t.log->seal_behind(1);  // not the last one
  t.append();
  EXPECT_EQ(t.log->begin_before(3), std::nullopt);
  t.log->seal_behind(3);
  t.append();
  const std::optional<Checkpoint> begin = t.log->begin_before(4);
  ASSERT_TRUE(begin);
  EXPECT_EQ(begin->end_offset, 6);
  EXPECT_EQ(begin->last_index, 3);
  EXPECT_EQ(begin->segments.size(), 1u);
}

}  // namespace
}  // namespace chronik::wal
