#include "wal/log_compaction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "wal/compacted_log.h"
#include "wal/log_repair.h"
#include "wal/log_verify.h"
#include "wal/offset_map.h"

namespace chronik::wal::testing {
namespace {

constexpr Timestamp much_later = 1'000'000;
constexpr milliseconds delete_retention{500};

std::shared_ptr<LogSettings> compacted(std::uint64_t segment_bytes = 400) {
  std::shared_ptr<LogSettings> settings = small_segments(segment_bytes);
  settings->compact = true;
  settings->delete_old = false;
  settings->min_cleanable_dirty_ratio = 0;
  settings->delete_retention = delete_retention;
  return settings;
}

struct LogCompactionTest : ::testing::Test {
  LogOnFakeDisk fake{compacted()};

  LogCompactionTest() { fake.open(); }

  PartitionLog& log() { return *fake.log; }
  void append(KeyedBatch batch) {
    batch.epoch = std::max(batch.epoch, log().last_epoch());
    log().append(make_keyed_batch(log().end_offset(), batch));
  }
  void put(const std::string& key, const std::optional<std::string>& value) {
    append({.records = {{key, value}}, .first_timestamp = 1'000 + log().end_offset()});
  }
  /// `count` values of `keys` keys in turn, then a new segment.
  void fill(int count, int keys, const std::string& what = "v") {
    for (int i = 0; i < count; ++i) {
      put("k" + std::to_string(i % keys), what + std::to_string(i));
    }
  }
  /// So that all before it can be compacted.
  void roll() {
    fake.flush();
    log().seal_if_due(much_later * 1'000);
  }
  CompactionReport compact_all(Timestamp now = much_later) {
    roll();
    Result<CompactionReport> report = compact(log(), now);
    CHECK_MSG(report.has_value(), report.error().message);
    return *report;
  }
  void checkpoint() {
    CHECK(log().dirty());
    fake.close();
    fake.start_process();
    fake.open();
  }
  std::vector<SeenBatch> batches() { return read_batches(log()).value(); }
  std::vector<SeenRecord> records() { return read_records(log()).value(); }
  std::vector<Offset> offsets() {
    std::vector<Offset> offsets;
    for (const SeenRecord& seen : records()) offsets.push_back(seen.offset);
    return offsets;
  }
  std::map<std::string, std::optional<std::string>> values() {
    std::map<std::string, std::optional<std::string>> values;
    for (const SeenRecord& seen : records()) {
      values[*seen.record.key] = seen.record.value;
    }
    return values;
  }
  std::vector<std::string> damages() {
    std::vector<std::string> damages;
    const Result<VerifyReport> report = verify_logs(
        fake.disk, fake.directory, {},
        {.on_damage = [&](const LogDamage& damage) { damages.push_back(to_string(damage)); }});
    CHECK_MSG(report.has_value(), report.error().message);
    return damages;
  }
};

TEST_F(LogCompactionTest, TheLastRecordOfEachKeyStaysWhereItWas) {
  fill(40, 4);
  fake.flush();
  const std::vector<SeenRecord> before = records();
  const CompactionReport report = compact_all();
  EXPECT_EQ(report.records_read, 40u);
  EXPECT_EQ(report.records_kept, 4u);
  EXPECT_LT(report.bytes_after, report.bytes_before);
  EXPECT_EQ(report.first_dirty_offset, 40);
  const std::vector<SeenRecord> expected(before.end() - 4, before.end());
  EXPECT_EQ(records(), expected);
  checkpoint();
  EXPECT_EQ(records(), expected);
  EXPECT_EQ(log().end_offset(), 40);
  EXPECT_EQ(log().first_dirty_offset(), 40);
  EXPECT_THAT(damages(), ::testing::IsEmpty());
}

TEST_F(LogCompactionTest, OldFilesGoWithTheCheckpointAndNotBefore) {
  fill(20, 2);
  roll();
  log().set_settings(compacted(1 << 20));
  const std::vector<std::string> before = fake.files();
  ASSERT_TRUE(compact(log(), much_later).has_value());
  for (const std::string& file : before) {
    EXPECT_THAT(fake.files(), ::testing::Contains(file));
  }
  checkpoint();
  EXPECT_THAT(fake.files(),
              ::testing::UnorderedElementsAre(
                  fake.directory + "/" + topic_file_name(test_topic_id()),
                  fake.directory + "/00000000000000000000.1.index",
                  fake.directory + "/00000000000000000000.1.log", fake.directory + "/checkpoint"));
}

TEST_F(LogCompactionTest, TheActiveSegmentIsNotTouched) {
  fill(40, 4);
  fake.flush();
  const Offset active = log().segments().back().base_offset;
  ASSERT_GT(active, 10);
  ASSERT_TRUE(compact(log(), much_later).has_value());
  EXPECT_EQ(log().first_dirty_offset(), active);
  EXPECT_EQ(offsets().size(), static_cast<std::size_t>(4 + 40 - active));
  EXPECT_EQ(LogCompaction(log()).cleanable(much_later).dirty_bytes, 0u);
}

TEST_F(LogCompactionTest, AnIdleActiveSegmentIsSealedWhenItsTimeIsOver) {
  auto settings = compacted(1 << 20);
  settings->segment_ms = milliseconds(100);
  log().set_settings(settings);
  fill(10, 2);
  fake.flush();
  log().seal_if_due(1'100);
  EXPECT_EQ(LogCompaction(log()).cleanable(much_later).dirty_bytes, 0u);
  log().seal_if_due(1'101);
  ASSERT_TRUE(compact(log(), much_later).has_value());
  EXPECT_EQ(offsets(), (std::vector<Offset>{8, 9}));
  put("k0", "new");
  fake.flush();
  EXPECT_EQ(log().segments().size(), 2u);
  EXPECT_EQ(offsets(), (std::vector<Offset>{8, 9, 10}));
}

TEST_F(LogCompactionTest, MaxCompactionLagRollsEarlier) {
  auto settings = compacted(1 << 20);
  settings->max_compaction_lag = milliseconds(50);
  log().set_settings(settings);
  append({.records = {{"a", "1"}}, .first_timestamp = 1'000});
  append({.records = {{"a", "2"}}, .first_timestamp = 1'050});
  append({.records = {{"a", "3"}}, .first_timestamp = 1'051});
  EXPECT_EQ(log().segments().size(), 2u);
}

TEST_F(LogCompactionTest, AReadInsideAGapGivesTheNextBatch) {
  fill(40, 4);
  log().set_settings(compacted(1 << 20));
  compact_all();
  checkpoint();
  for (Offset from = 0; from < 40; ++from) {
    const LogSlice slice = log().read(from, 1, log().end_offset(), true).value();
    const std::vector<SeenBatch> seen = decode_batches(gather(slice.bytes).value().view());
    ASSERT_EQ(seen.size(), 1u);
    EXPECT_EQ(seen[0].header.base_offset, std::max<Offset>(from, 36)) << from;
    EXPECT_EQ(slice.next, seen[0].header.next_offset());
  }
  const LogSlice nothing = log().read(3, 1'000, 36, true).value();
  EXPECT_TRUE(nothing.bytes.empty());
}

TEST_F(LogCompactionTest, BatchesCoverTheSameOffsetsAndKeepAllElse) {
  using protocol::Codec;
  for (const Codec codec : {Codec::none, Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd}) {
    append({.records = {{"a", "1"}, {"b", "1"}, {"c", "1"}, {"d", "1"}},
            .epoch = 3,
            .first_timestamp = 5'000,
            .codec = codec,
            .producer_id = 77,
            .base_sequence = 4 * static_cast<Sequence>(codec)});
    append({.records = {{"a", "2"}, {"c", "2"}}, .epoch = 3});
  }
  fake.flush();
  const std::vector<SeenBatch> before = batches();
  compact_all();
  for (const SeenBatch& batch : batches()) {
    const auto was = std::find_if(before.begin(), before.end(), [&](const SeenBatch& old) {
      return old.header.base_offset == batch.header.base_offset;
    });
    ASSERT_NE(was, before.end());
    EXPECT_EQ(batch.header.last_offset(), was->header.last_offset());
    if (batch.records.empty()) continue;
    EXPECT_EQ(batch.header.codec_bits(), was->header.codec_bits());
    EXPECT_EQ(batch.header.leader_epoch, 3);
    EXPECT_EQ(batch.header.producer_id, was->header.producer_id);
    EXPECT_EQ(batch.header.last_sequence(), was->header.last_sequence());
    for (const SeenRecord& record : batch.records) {
      EXPECT_THAT(was->records, ::testing::Contains(record));
    }
  }
  EXPECT_EQ(values().size(), 4u);
  EXPECT_EQ(offsets().size(), 4u);
}

TEST_F(LogCompactionTest, LogAppendTimeStays) {
  append({.records = {{"a", "1"}, {"b", "1"}}, .log_append_time = 9'999});
  append({.records = {{"a", "2"}}, .log_append_time = 10'000});
  compact_all();
  const std::vector<SeenRecord> left = records();
  ASSERT_EQ(left.size(), 2u);
  EXPECT_EQ(left[0].timestamp, 9'999);
  EXPECT_EQ(batches()[0].header.timestamp_type(), protocol::TimestampType::log_append_time);
}

TEST_F(LogCompactionTest, ATombstoneGoesOnceItsHorizonIsOver) {
  put("a", "1");
  put("b", "1");
  put("a", std::nullopt);
  compact_all(much_later);
  EXPECT_EQ(offsets(), (std::vector<Offset>{1, 2}));
  const protocol::BatchHeader marked = batches().back().header;
  ASSERT_TRUE(marked.has_delete_horizon());
  EXPECT_EQ(marked.base_timestamp, much_later + delete_retention.count());
  EXPECT_EQ(marked.max_timestamp, 1'002);

  put("c", "1");
  compact_all(much_later + delete_retention.count() - 1);
  EXPECT_EQ(offsets(), (std::vector<Offset>{1, 2, 3}));
  put("d", "1");
  compact_all(much_later + delete_retention.count());
  EXPECT_EQ(offsets(), (std::vector<Offset>{1, 3, 4}));
}

TEST_F(LogCompactionTest, ATombstoneThatEndsTheLogLeavesItsEndReadable) {
  put("a", "1");
  put("a", std::nullopt);
  compact_all(much_later);
  put("b", std::nullopt);
  compact_all(much_later);
  put("a", std::nullopt);
  compact_all(much_later + 2 * delete_retention.count());
  put("b", std::nullopt);
  compact_all(much_later + 4 * delete_retention.count());
  const std::vector<SeenBatch> left = batches();
  EXPECT_EQ(left.back().header.next_offset(), log().end_offset());
  checkpoint();
  EXPECT_EQ(batches().back().header.next_offset(), 5);
}

TEST_F(LogCompactionTest, RecordsWithoutAKeyGo) {
  append({.records = {{std::nullopt, "1"}, {"a", "1"}, {std::nullopt, "2"}}});
  compact_all();
  EXPECT_EQ(offsets(), (std::vector<Offset>{1}));
}

struct LastBatches final : DerivedState {
  void apply(const protocol::BatchHeader& header) override {
    if (header.has_producer_id()) last[header.producer_id] = header.last_offset();
  }
  Bytes save() const override { return {}; }
  Result<void> restore(ByteView) override { return Error{Errc::unsupported, "never"}; }
  void reset() override { last.clear(); }
  std::vector<Offset> batches_to_keep() const override {
    std::vector<Offset> offsets;
    for (const auto& [id, offset] : last) offsets.push_back(offset);
    return offsets;
  }
  std::map<ProducerId, Offset> last;
};

TEST_F(LogCompactionTest, TheLastBatchOfALiveProducerStaysAsAHeader) {
  LastBatches producers;
  const std::string directory = "/data/p-0";
  const LogIdentity identity{"p", 0, test_topic_id(2)};
  auto opened = PartitionLog::open(*fake.environment, directory, identity, compacted(), &producers);
  PartitionLog& log = **opened;
  const auto append = [&](ProducerId id, Sequence sequence, const std::string& key) {
    log.append(make_keyed_batch(
        log.end_offset(),
        {.records = {{key, "x"}, {key, "y"}}, .producer_id = id, .base_sequence = sequence}));
  };
  append(1, 0, "a");
  append(1, 2, "a");
  append(2, 0, "a");
  append(-1, -1, "a");
  append(-1, -1, "b");
  ASSERT_TRUE(log.flush());
  log.seal_if_due(much_later * 1'000);
  ASSERT_TRUE(compact(log, much_later).has_value());
  const std::vector<SeenBatch> batches = read_batches(log).value();
  ASSERT_EQ(batches.size(), 4u);
  EXPECT_EQ(batches[0].header.producer_id, 1);
  EXPECT_EQ(batches[0].header.base_offset, 2);
  EXPECT_EQ(batches[0].header.last_sequence(), 3);
  EXPECT_EQ(batches[0].header.record_count, 0);
  EXPECT_EQ(batches[1].header.producer_id, 2);
  const auto known = producers.last;
  ASSERT_TRUE(log.close());
  opened->reset();
  opened = PartitionLog::open(*fake.environment, directory, identity, compacted(), &producers);
  ASSERT_TRUE(opened);
  EXPECT_EQ(producers.last, known) << "replayed from what compaction left";
}

TEST_F(LogCompactionTest, SmallSegmentsBecomeOne) {
  fill(60, 60);
  roll();
  const std::size_t before = log().segments().size();
  ASSERT_GT(before, 8u);
  auto settings = compacted(1'300);
  log().set_settings(settings);
  const CompactionReport report = compact(log(), much_later).value();
  EXPECT_LT(report.segments_after, before / 2);
  for (const SegmentInfo& segment : log().segments()) EXPECT_LE(segment.size_bytes, 1'300u);
  EXPECT_EQ(offsets().size(), 60u);
  checkpoint();
  EXPECT_EQ(offsets().size(), 60u);
  EXPECT_THAT(damages(), ::testing::IsEmpty());
}

TEST_F(LogCompactionTest, AMapThatIsTooSmallCleansAsMuchAsFits) {
  fill(60, 12);
  roll();
  CompactionLimits limits;
  limits.map_bytes_max = 8 * OffsetMap::slot_bytes;
  limits.io_buffer_bytes = 100;
  limits.slice_bytes = 10;
  int runs = 0;
  while (LogCompaction(log()).cleanable(much_later).dirty_bytes != 0) {
    const Offset before = log().first_dirty_offset();
    const CompactionReport report = compact(log(), much_later, limits).value();
    EXPECT_LE(report.map_bytes, limits.map_bytes_max);
    EXPECT_GT(log().first_dirty_offset(), before);
    ASSERT_LT(++runs, 60);
  }
  EXPECT_GT(runs, 3);
  EXPECT_EQ(offsets(), (std::vector<Offset>{48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59}));
}

TEST_F(LogCompactionTest, ReadersOfOldFilesReadOn) {
  fill(20, 2);
  roll();
  const LogSlice held = log().read(0, 1 << 20, 20, true).value();
  compact_all();
  checkpoint();
  EXPECT_EQ(decode_batches(gather(held.bytes).value().view()).front().header.base_offset, 0);
}

TEST_F(LogCompactionTest, DamageIsNeverCopied) {
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
TEST_F(LogCompactionTest, ALogWithATransactionIsLeftAsItIs) {
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

TEST_F(LogCompactionTest, AChangedEpochIsDamageToo) {
  fill(40, 4);
  roll();
  fake.disk.flip_bit(fake.file(0), 12 + 3, 0);
  const auto report = compact(log(), much_later);
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ(report.error().code, Errc::corrupt);
}

TEST_F(LogCompactionTest, AFullDiskEndsTheRunAndNothingElse) {
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
TEST_F(LogCompactionTest, AnyFailureOfTheDiskEndsTheProcessAndLosesNothing) {
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

TEST_F(LogCompactionTest, ARunThatIsGivenUpLeavesNothing) {
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

TEST_F(LogCompactionTest, RetentionWaitsForTheRunAndThenDropsWhatIsOld) {
  auto settings = compacted();
  settings->delete_old = true;
  settings->retention_ms = milliseconds(10);
  log().set_settings(settings);
  fill(40, 4);
  roll();
  LogCompaction compaction(log());
  CompactionJob job = compaction.begin({}, much_later, 1);
  EXPECT_EQ(log().apply_retention(much_later), 0u);
  ASSERT_TRUE(log().delete_before(38));
  while (job.step()) {
  }
  ASSERT_TRUE(compaction.end(std::move(job)).has_value());
  EXPECT_EQ(offsets(), (std::vector<Offset>{38, 39}));
  EXPECT_GT(log().apply_retention(much_later), 0u);
  EXPECT_EQ(log().log_start_offset(), 40);
  put("z", "1");
  checkpoint();
  EXPECT_EQ(offsets(), (std::vector<Offset>{40}));
}

TEST_F(LogCompactionTest, ACompactedLogIsNoRaftLog) {
  fill(20, 2);
  fake.append_raft(1);
  fill(20, 2);
  compact_all();
  EXPECT_EQ(log().start_index(), log().last_index() + 1);
  EXPECT_EQ(log().last_index(), 41);
  EXPECT_EQ(log().read_entries(1, 1'000).error().code, Errc::out_of_range);
  append({.records = {{"k0", "a"}}, .epoch = 1});
  append({.records = {{"k0", "b"}}, .epoch = 2});
  fake.flush();
  EXPECT_EQ(log().start_index(), 42);
  EXPECT_EQ(log().epoch_at(41), 1);
  ASSERT_TRUE(log().truncate_after(42));
  ASSERT_TRUE(log().truncate_after(41));
  EXPECT_EQ(log().truncate_after(40).error().code, Errc::out_of_range);
  EXPECT_EQ(log().end_offset(), 40);
  append({.records = {{"k0", "c"}}, .epoch = 2});
  checkpoint();
  EXPECT_EQ(values(),
            (std::map<std::string, std::optional<std::string>>{{"k0", "c"}, {"k1", "v19"}}));
  EXPECT_EQ(log().last_index(), 42);
  EXPECT_EQ(log().end_offset_for_epoch(0)->end_offset, 20);
  EXPECT_THAT(damages(), ::testing::IsEmpty());
}

TEST_F(LogCompactionTest, LookupsByTimeSeeOnlyRecordsThatAreThere) {
  fill(40, 4);
  compact_all();
  checkpoint();
  const auto found = log().find_by_time(1'010, log().end_offset()).value();
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->offset, 36);
  EXPECT_EQ(log().find_max_timestamp(log().end_offset()).value()->offset, 39);
  // Of the newest time only a header is left.
  append({.records = {{"gone", std::nullopt}}, .first_timestamp = 90'000});
  compact_all(much_later);
  append({.records = {{"k1", "last"}}, .first_timestamp = 2'000});
  compact_all(much_later + 2 * delete_retention.count());
  EXPECT_EQ(log().find_max_timestamp(log().end_offset()).value()->timestamp, 2'000);
}

TEST_F(LogCompactionTest, ALostIndexIsMadeAgain) {
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

TEST_F(LogCompactionTest, ALogThatLostItsCheckpointIsRefusedAndRepaired) {
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
TEST_F(LogCompactionTest, ARefusedStartLeavesWhatCompactionHasReplaced) {
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

TEST_F(LogCompactionTest, OfARunThatDiedTheOriginalsStay) {
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
