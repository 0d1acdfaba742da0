#include "wal/log_compaction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wal/test_compaction.h"

namespace chronik::wal::testing {
namespace {

struct LogCompactionTest : ::testing::Test, CompactionOnFakeDisk {};

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
  Bytes save_below(Offset) const override { return {}; }
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

}  // namespace
}  // namespace chronik::wal::testing
