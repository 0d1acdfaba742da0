// What one replica gives another of its log's begin: compacted segments and all that deleted ones
// have taught; whole, checked, and in force at once or not at all.
#include "wal/log_begin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "wal/compacted_log.h"

namespace chronik::wal {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): the fixtures of logs

constexpr Timestamp much_later = 1'000'000'000;

std::shared_ptr<LogSettings> compacted_settings() {
  auto settings = small_segments(600);
  settings->compact = true;
  settings->min_cleanable_dirty_ratio = 0;
  return settings;
}

/// A log of six keys, written over and over in three epochs, with entries of Raft's own between.
struct Giver : LogOnFakeDisk {
  Giver() : LogOnFakeDisk(compacted_settings()) {
    open();
    for (int i = 0; i < 60; ++i) {
      if (i % 20 == 0) append_raft(i / 20);
      put(i);
    }
    flush();
    CHECK(compact(*log, much_later));
    CHECK(log->flush());
  }
  void put(int i) {
    const KeyedBatch batch{.records = {{fmt::format("k{}", i % 6), fmt::format("v{}", i)}},
                           .epoch = std::max(log->last_epoch(), i / 20),
                           .producer_id = 9,
                           .base_sequence = i};
    log->append(make_keyed_batch(log->end_offset(), batch));
  }
  LogBeginReader reader() const {
    return {*environment_disk(), directory, log->begin_before(log->start_index()).value()};
  }
  Disk* environment_disk() const { return &environment->disk; }
};

Bytes all_of(LogBeginReader reader, std::size_t step) {
  Bytes bytes;
  Bytes part(step);
  for (;;) {
    const std::size_t n = reader.read(bytes.size(), part).value();
    bytes.insert(bytes.end(), part.begin(), part.begin() + static_cast<std::ptrdiff_t>(n));
    if (n < step) break;
  }
  CHECK(bytes.size() == reader.size());
  return bytes;
}

Result<void> give(LogBeginReceiver& receiver, ByteView bytes, std::size_t step) {
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    TRY(receiver.write(at, bytes.subspan(at, std::min(step, bytes.size() - at))));
  }
  return receiver.finish();
}

/// One that has had entries that nobody else has.
struct Taker : LogOnFakeDisk {
  Taker() : LogOnFakeDisk(compacted_settings()) {
    open();
    for (int i = 0; i < 9; ++i) append();
    flush();
  }
};

TEST(LogBegin, GoesOverWholeWhateverTheSizeOfItsParts) {
  const Giver giver;
  const Bytes bytes = all_of(giver.reader(), 1 << 20);
  for (const std::size_t step : {std::size_t{1}, std::size_t{97}, std::size_t{4096}}) {
    ASSERT_EQ(all_of(giver.reader(), step), bytes);
    Taker taker;
    LogBeginReceiver receiver = taker.log->receive_begin();
    const Result<void> given = give(receiver, bytes, step);
    ASSERT_TRUE(given) << given.error().message;
    taker.log->restart_at(receiver.begin());
    taker.flush();
    taker.crash(step, CrashModel::reordered);
    taker.open();
    const PartitionLog& log = *taker.log;
    const EntryIndex next = giver.log->start_index();
    EXPECT_EQ(log.start_index(), next);
    EXPECT_EQ(log.last_index(), next - 1);
    EXPECT_EQ(log.log_start_offset(), 0);
    EXPECT_EQ(log.epoch_at(next - 1), giver.log->epoch_at(next - 1));
    EXPECT_EQ(log.end_offset_for_epoch(0)->end_offset,
              giver.log->end_offset_for_epoch(0)->end_offset);
    std::vector<SeenRecord> expected = read_records(*giver.log).value();
    std::erase_if(expected, [&](const SeenRecord& at) { return at.offset >= log.end_offset(); });
    ASSERT_GE(expected.size(), 6u);
    EXPECT_EQ(read_records(*taker.log).value(), expected);
    // The next entries of the leader follow.
    const EntrySlice rest = giver.log->read_entries(next, 1u << 20).value();
    const SharedBytes entries = gather(rest.bytes).value();
    for (std::size_t at = 0; at < entries.size();) {
      const std::size_t size = protocol::read_batch_header(entries.view().subspan(at)).size();
      taker.log->append(entries.slice(at, size));
      at += size;
    }
    taker.flush();
    EXPECT_EQ(read_records(*taker.log).value(), read_records(*giver.log).value());
    EXPECT_EQ(taker.log->last_index(), giver.log->last_index());
  }
}

// It knew nothing of what the log before it had taught, until the first checkpoint after it.
TEST(LogBegin, BringsTheStateThatDeletedEntriesHaveLeft) {
  Giver giver;
  const std::size_t known = giver.derived.seen.size();
  ASSERT_EQ(known, 60u);
  const Bytes bytes = all_of(giver.reader(), 4096);
  Taker taker;
  LogBeginReceiver receiver = taker.log->receive_begin();
  ASSERT_TRUE(give(receiver, bytes, 4096));
  taker.log->restart_at(receiver.begin());
  const auto at_begin = static_cast<std::size_t>(taker.log->end_offset());
  EXPECT_EQ(taker.derived.seen.size(), at_begin);
  taker.flush();
  taker.crash(1, CrashModel::ordered);
  taker.open();
  EXPECT_EQ(taker.derived.seen.size(), at_begin);
}

TEST(LogBegin, WhatWasDeletedHereStaysDeleted) {
  const Giver giver;
  const Bytes bytes = all_of(giver.reader(), 4096);
  Giver taker;
  ASSERT_TRUE(taker.log->delete_before(20));
  LogBeginReceiver receiver = taker.log->receive_begin();
  ASSERT_TRUE(give(receiver, bytes, 4096));
  taker.log->restart_at(receiver.begin());
  EXPECT_EQ(taker.log->log_start_offset(), 20);
  taker.flush();
  taker.crash(1, CrashModel::ordered);
  taker.open();
  EXPECT_EQ(taker.log->log_start_offset(), 20);
}

TEST(LogBegin, ADamagedByteIsNeverTakenOver) {
  const Giver giver;
  const Bytes bytes = all_of(giver.reader(), 4096);
  Taker taker;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    Bytes damaged = bytes;
    damaged[at] ^= 0x10;
    LogBeginReceiver receiver = taker.log->receive_begin();
    const Result<void> given = give(receiver, damaged, 1000);
    ASSERT_FALSE(given) << "byte " << at;
    EXPECT_TRUE(given.error().code == Errc::corrupt || given.error().code == Errc::unsupported);
  }
  for (const std::size_t size : {std::size_t{0}, std::size_t{3}, bytes.size() - 1}) {
    LogBeginReceiver receiver = taker.log->receive_begin();
    EXPECT_FALSE(give(receiver, ByteView(bytes).first(size), 1000)) << size;
  }
  Bytes longer = bytes;
  longer.push_back(0);
  LogBeginReceiver receiver = taker.log->receive_begin();
  EXPECT_FALSE(give(receiver, longer, 1000));
  taker.reopen();
  EXPECT_EQ(taker.log->last_index(), 9);
}

TEST(LogBegin, WhatWasGivenUpIsRemovedByTheNextOneAndByAStart) {
  const Giver giver;
  const Bytes bytes = all_of(giver.reader(), 4096);
  const auto received = [](const LogOnFakeDisk& of) {
    const std::vector<std::string> files = of.files();
    return std::ranges::count_if(files,
                                 [](const std::string& f) { return f.ends_with(".received"); });
  };
  Taker taker;
  std::set<std::int64_t> counts;
  for (int i = 0; i < 3; ++i) {
    LogBeginReceiver receiver = taker.log->receive_begin();
    ASSERT_TRUE(receiver.write(0, ByteView(bytes).first(bytes.size() - 10)));
    counts.insert(received(taker));
  }
  EXPECT_EQ(counts.size(), 1u);
  EXPECT_GT(*counts.begin(), 0);
  taker.reopen();
  EXPECT_EQ(received(taker), 0);
}

// Whoever was reading the old log, or compacting it, is not met by the new one.
TEST(LogBegin, ARunOfCompactionThatWasUnderWayIsForNothing) {
  const Giver giver;
  const Bytes bytes = all_of(giver.reader(), 4096);
  Giver taker;
  for (int i = 60; i < 90; ++i) taker.put(i);
  taker.flush();
  CompactionJob job = LogCompaction(*taker.log).begin({}, much_later, 1);
  LogBeginReceiver receiver = taker.log->receive_begin();
  ASSERT_TRUE(give(receiver, bytes, 4096));
  taker.log->restart_at(receiver.begin());
  taker.flush();
  while (job.step()) {
  }
  const Result<CompactionReport> report = LogCompaction(*taker.log).end(std::move(job));
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, Errc::closed);
  std::vector<SeenRecord> expected = read_records(*giver.log).value();
  std::erase_if(expected,
                [&](const SeenRecord& at) { return at.offset >= taker.log->end_offset(); });
  EXPECT_EQ(read_records(*taker.log).value(), expected);
}

// A compacted log that is replaced, too: in between it is the old one, cut, or nothing.
TEST(LogBegin, IsInForceOrNotAfterEveryPowerCut) {
  const Giver giver;
  const Bytes bytes = all_of(giver.reader(), 4096);
  bool was_new = false;
  bool was_old = false;
  for (const CrashModel model : {CrashModel::ordered, CrashModel::reordered}) {
    for (std::uint64_t n = 0;; ++n) {
      ASSERT_LT(n, 1000u);
      Giver taker;
      for (int i = 60; i < 75; ++i) taker.put(i);
      taker.flush();
      taker.disk.power_off_after(n);
      LogBeginReceiver receiver = taker.log->receive_begin();
      bool whole = give(receiver, bytes, 700).has_value();
      if (whole) {
        taker.log->restart_at(receiver.begin());
        whole = taker.log->flush().has_value();
      }
      taker.crash(n, model);
      taker.open();
      const PartitionLog& log = *taker.log;
      const bool is_new = log.last_index() == giver.log->start_index() - 1 &&
                          log.start_index() == log.last_index() + 1;
      const bool is_cut = log.end_offset() < 75;
      was_new = was_new || is_new;
      was_old = was_old || !is_cut;
      EXPECT_TRUE(is_new || !whole) << n;
      EXPECT_TRUE(read_records(*taker.log)) << n;
      if (whole) break;
    }
  }
  EXPECT_TRUE(was_new && was_old);
}

// Where the old one ends before: it is never cut.
TEST(LogBegin, TakesThePlaceOfAShorterLogAtOnce) {
  const Giver giver;
  const Bytes bytes = all_of(giver.reader(), 4096);
  bool was_new = false;
  bool was_old = false;
  for (const CrashModel model : {CrashModel::ordered, CrashModel::reordered}) {
    for (std::uint64_t n = 0;; ++n) {
      ASSERT_LT(n, 1000u);
      LogOnFakeDisk taker;
      taker.open();
      for (int i = 0; i < 30; ++i) taker.append(1, {.epoch = 1});
      taker.flush();
      taker.disk.power_off_after(n);
      LogBeginReceiver receiver = taker.log->receive_begin();
      bool whole = give(receiver, bytes, 700).has_value();
      if (whole) {
        taker.log->restart_at(receiver.begin());
        whole = taker.log->flush().has_value();
      }
      taker.crash(n, model);
      taker.open();
      const bool is_new = taker.log->start_index() == giver.log->start_index();
      was_new = was_new || is_new;
      was_old = was_old || !is_new;
      EXPECT_EQ(taker.log->last_index(), is_new ? giver.log->start_index() - 1 : 30) << n;
      EXPECT_FALSE(taker.log->recovery().cut_under_way) << n;
      EXPECT_TRUE(is_new || !whole) << n;
      if (is_new) {
        EXPECT_TRUE(read_records(*taker.log)) << n;
      } else {
        EXPECT_EQ(taker.read_all().size(), 30u) << n;
      }
      if (whole) break;
    }
  }
  EXPECT_TRUE(was_new && was_old);
}

}  // namespace
}  // namespace chronik::wal
