// Compaction on damaged logs, on disks that fail or are full, and starts after a run that died.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wal/log_repair.h"
#include "wal/test_compaction.h"

namespace chronik::wal::testing {
namespace {

struct LogCompactionFailureTest : ::testing::Test, CompactionOnFakeDisk {};

TEST_F(LogCompactionFailureTest, DamageIsNeverCopied) {
  fill(40, 4);
  roll();
  fake.disk.flip_bit(fake.file(0), 100, 3);
  const auto report = compact(log(), much_later);
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ(report.error().code, Errc::corrupt);
  EXPECT_THAT(report.error().message, ::testing::HasSubstr("00000000000000000000.log"));
  EXPECT_FALSE(LogCompaction(log()).refused().empty());
  EXPECT_EQ(LogCompaction(log()).cleanable(much_later).dirty_bytes, 0u);
  EXPECT_EQ(log().first_dirty_offset(), 0);
  EXPECT_TRUE(fake.fatal.empty());
}

// Of a later version, or of another program: produce takes neither.
TEST_F(LogCompactionFailureTest, ALogWithATransactionIsLeftAsItIs) {
  for (const bool control : {false, true}) {
    fake.open();
    fill(20, 4);
    const Offset at = log().end_offset();
    protocol::BatchOptions options{.base_offset = at, .leader_epoch = 0};
    options.producer_id = 7;
    options.producer_epoch = 0;
    options.base_sequence = control ? -1 : 0;
    options.transactional = true;
    options.control = control;
    protocol::BatchBuilder builder(options);
    builder.append(2'000, as_bytes("k0"), as_bytes("x"));
    log().append(builder.build());
    fill(20, 4);
    roll();
    const std::vector<std::string> before = fake.files();
    const auto report = compact(log(), much_later);
    ASSERT_FALSE(report.has_value());
    EXPECT_EQ(report.error().code, Errc::unsupported);
    EXPECT_THAT(report.error().message,
                ::testing::HasSubstr(fmt::format("the batch at offset {} {}", at,
                                                 control ? "is a control" : "belongs to a")));
    EXPECT_EQ(LogCompaction(log()).refused(), report.error().message);
    EXPECT_EQ(log().first_dirty_offset(), 0);
    EXPECT_EQ(log().end_offset(), at + 21);
    EXPECT_THAT(damages(), ::testing::IsEmpty());
    EXPECT_TRUE(fake.fatal.empty());
    for (const std::string& file : fake.files()) ASSERT_TRUE(fake.disk.remove(file));
    fake.start_process();
  }
}

TEST_F(LogCompactionFailureTest, AChangedEpochIsDamageToo) {
  fill(40, 4);
  roll();
  fake.disk.flip_bit(fake.file(0), 12 + 3, 0);
  const auto report = compact(log(), much_later);
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ(report.error().code, Errc::corrupt);
}

TEST_F(LogCompactionFailureTest, AFullDiskEndsTheRunAndNothingElse) {
  fill(40, 40);
  roll();
  fake.disk.set_capacity(fake.disk.used_bytes() + 200);
  const auto report = compact(log(), much_later);
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ(report.error().code, Errc::no_space);
  EXPECT_TRUE(fake.fatal.empty());
  fake.disk.set_capacity(1 << 30);
  compact_all();
  EXPECT_EQ(offsets().size(), 40u);
}

// Of a run that writes back as it goes each operation fails once.
TEST_F(LogCompactionFailureTest, AnyFailureOfTheDiskEndsTheProcessAndLosesNothing) {
  CompactionLimits limits;
  limits.io_buffer_bytes = 200;
  limits.in_flight_bytes_max = 300;
  fill(40, 20);
  fake.flush();
  const auto expected = values();
  std::uint64_t n = 0;
  for (bool struck = true; struck && n < 500; ++n) {
    roll();
    LogCompaction compaction(log());
    CompactionJob job = compaction.begin(limits, much_later, 1);
    fake.disk.fail_operation(n, n);
    while (job.step()) {
    }
    struck = fake.disk.struck();
    EXPECT_EQ(fake.fatal.size(), struck ? 1u : 0u) << n;
    EXPECT_EQ(compaction.end(std::move(job)).has_value(), !struck) << n;
    fake.crash(n, n % 2 == 0 ? CrashModel::kill : CrashModel::reordered);
    fake.fatal.clear();
    fake.open();
    EXPECT_EQ(values(), expected) << n;
  }
  EXPECT_GT(n, 30u);
  EXPECT_LT(n, 500u);
}

TEST_F(LogCompactionFailureTest, ARunThatIsGivenUpLeavesNothing) {
  fill(40, 40);
  roll();
  const auto before = records();
  LogCompaction compaction(log());
  CompactionLimits limits;
  limits.slice_bytes = 100;
  CompactionJob job = compaction.begin(limits, much_later, 1);
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(job.step());
  job.cancel();
  EXPECT_FALSE(job.step());
  EXPECT_FALSE(compaction.end(std::move(job)).has_value());
  checkpoint();
  for (const std::string& file : fake.files()) {
    EXPECT_THAT(file, ::testing::Not(::testing::HasSubstr(".1.log")));
  }
  EXPECT_EQ(records(), before);
}

TEST_F(LogCompactionFailureTest, ALostIndexIsMadeAgain) {
  fill(60, 30);
  log().set_settings(compacted(4'000));
  compact_all();
  checkpoint();
  const auto before = records();
  for (const std::string& file : fake.files()) {
    if (!file.ends_with(".1.index")) continue;
    ASSERT_TRUE(fake.disk.remove(file));
  }
  for (const Offset at : {45, 57}) {
    EXPECT_EQ(log().read(at, 1, 60, true).value().first, at);
  }
  EXPECT_EQ(fake.environment->counters.indexes_rebuilt, log().segments().size());
  checkpoint();
  EXPECT_EQ(records(), before);
  EXPECT_THAT(damages(), ::testing::IsEmpty());
}

TEST_F(LogCompactionFailureTest, ALogThatLostItsCheckpointIsRefusedAndRepaired) {
  fill(40, 4);
  compact_all();
  fake.close();
  fake.start_process();
  ASSERT_TRUE(fake.disk.remove(fake.directory + "/checkpoint"));
  EXPECT_EQ(fake.try_open().error().code, Errc::corrupt);
  EXPECT_THAT(damages(), ::testing::Not(::testing::IsEmpty()));
  const std::unique_ptr<MemoryDisk> without = fake.disk.clone();
  EXPECT_TRUE(repair_log(*without, fake.directory).value().log_start_lost);
  EXPECT_TRUE(verify_logs(*without, fake.directory, {.records = true}).value().sound());
  fake.disk.set_content(fake.directory + "/checkpoint", Bytes{1, 2, 3});
  EXPECT_EQ(fake.try_open().error().code, Errc::corrupt);
  EXPECT_TRUE(repair_log(fake.disk, fake.directory).value().changed);
  fake.open();
  EXPECT_EQ(offsets(), (std::vector<Offset>{36, 37, 38, 39}));
}

// The process died before the old files were removed, then the new ones were lost: the start
// removed the old ones, said that nothing was changed, and refused.
TEST_F(LogCompactionFailureTest, ARefusedStartLeavesWhatCompactionHasReplaced) {
  fill(40, 4);
  roll();
  std::map<std::string, Bytes> old;
  for (const std::string& file : fake.files()) old[file] = fake.disk.content(file);
  compact_all();
  fake.close();
  fake.start_process();
  for (const auto& [file, content] : old) fake.disk.set_content(file, content);
  ASSERT_TRUE(fake.disk.remove(fake.directory + "/00000000000000000000.1.log"));
  EXPECT_EQ(fake.try_open().error().code, Errc::corrupt);
  for (const auto& [file, content] : old) EXPECT_EQ(fake.disk.content(file), content) << file;
}

TEST_F(LogCompactionFailureTest, OfARunThatDiedTheOriginalsStay) {
  fill(40, 4);
  roll();
  const auto before = records();
  LogCompaction compaction(log());
  CompactionJob job = compaction.begin({}, much_later, 1);
  while (job.step()) {
  }
  // No checkpoint yet, and none was ever written.
  fake.crash(3, CrashModel::kill);
  fake.open();
  EXPECT_EQ(records(), before);
  for (const std::string& file : fake.files()) {
    EXPECT_THAT(file, ::testing::Not(::testing::HasSubstr(".1.")));
  }
  compact_all();
  checkpoint();
  EXPECT_EQ(offsets().size(), 4u);
}

}  // namespace
}  // namespace chronik::wal::testing
