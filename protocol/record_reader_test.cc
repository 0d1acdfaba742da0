#include "protocol/record_reader.h"

#include <gtest/gtest.h>

#include <limits>

#include "protocol/record_builder.h"
#include "protocol/records/leader_change_message.h"
#include "protocol/testing/random_batch.h"

namespace chronik::protocol {
namespace {

using testing::all_codecs;
using testing::build_batch;
using testing::OwnedRecord;
using testing::random_records;
using testing::records_of;

constexpr Timestamp now = 1'700'000'000'000;

TEST(Records, WhatWasWrittenIsReadWithEveryCodec) {
  Random random(1);
  RecordScratch scratch;
  for (int round = 0; round < 300; ++round) {
    const Codec codec = all_codecs[random.below(5)];
    const std::vector<OwnedRecord> records = random_records(random, now);
    BatchOptions options;
    options.codec = codec;
    options.base_offset = static_cast<Offset>(random.below(1'000'000));
    options.producer_id = 5;
    options.producer_epoch = 1;
    options.base_sequence = std::numeric_limits<Sequence>::max() - 10;
    const SharedBytes batch = build_batch(records, options);
    const auto header = check_batch(batch.view());
    ASSERT_TRUE(header) << header.error().message;
    ASSERT_EQ(header->record_count, static_cast<std::int32_t>(records.size()));
    ASSERT_EQ(header->last_offset_delta, header->record_count - 1);
    ASSERT_EQ(records_of(batch.view(), scratch), records) << codec_name(codec);

    // Offsets and sequences count up, sequences around the end of their range.
    auto reader = RecordReader::open(batch.view(), scratch);
    Record record;
    for (Offset offset = options.base_offset; reader->next(record); ++offset) {
      ASSERT_EQ(record.offset, offset);
      const Sequence expected = static_cast<Sequence>(
          (std::int64_t{options.base_sequence} + offset - options.base_offset) % (1LL << 31));
      ASSERT_EQ(record.sequence, expected);
    }
    ASSERT_EQ(record.sequence, header->last_sequence());
  }
}

TEST(Records, ScannerSeesWhatTheReaderSees) {
  Random random(2);
  RecordScratch scratch;
  RecordScratch other;
  for (int round = 0; round < 300; ++round) {
    BatchOptions options;
    options.codec = all_codecs[random.below(5)];
    // Values longer than the pieces in which streams are decompressed, now and then.
    const std::size_t value_max = random.one_in(10) ? 400'000 : 3'000;
    const SharedBytes batch = build_batch(random_records(random, now, 20, value_max), options);
    const BatchHeader header = read_batch_header(batch.view());
    RecordScanner scanner(batch.view(), header, scratch);
    auto reader = RecordReader::open(batch.view(), other);
    RecordSkeleton skeleton;
    Record record;
    while (reader->next(record)) {
      ASSERT_TRUE(scanner.next(skeleton)) << scanner.problem().message;
      ASSERT_EQ(header.base_timestamp + skeleton.timestamp_delta, record.timestamp);
      ASSERT_EQ(skeleton.offset_delta, record.offset);
      ASSERT_EQ(skeleton.has_key(), record.key.has_value());
      ASSERT_EQ(skeleton.value_length, record.value ? static_cast<int>(record.value->size()) : -1);
    }
    ASSERT_FALSE(scanner.next(skeleton));
    ASSERT_TRUE(scanner.ok()) << scanner.problem().message;
  }
}

TEST(Records, CutRecordsAreDamageToBoth) {
  Random random(3);
  RecordScratch scratch;
  for (const Codec codec : all_codecs) {
    BatchOptions options;
    options.codec = codec;
    const SharedBytes batch = build_batch(random_records(random, now, 5, 300), options);
    for (std::size_t size = batch_header_size; size < batch.size(); ++size) {
      SharedBytes cut = SharedBytes::copy_of(batch.view().first(size));
      store_be(cut.mutable_view().data() + 8,
               static_cast<std::int32_t>(size - batch_length_overhead));
      testing::repair_crc(cut.mutable_view());
      const auto header = check_batch(cut.view());
      ASSERT_TRUE(header);
      RecordScanner scanner(cut.view(), *header, scratch);
      RecordSkeleton record;
      while (scanner.next(record)) {
      }
      ASSERT_FALSE(scanner.ok()) << codec_name(codec) << " cut at " << size;
      ASSERT_FALSE(scanner.next(record));
      ASSERT_FALSE(records_of(cut.view(), scratch)) << codec_name(codec) << " cut at " << size;
    }
  }
}

TEST(Records, CutBatchesAndForeignMagicAreNamed) {
  RecordScratch scratch;
  SharedBytes batch =
      build_batch({OwnedRecord{.timestamp = now, .key = {}, .value = {}, .headers = {}}});
  EXPECT_FALSE(check_batch(batch.view().first(60)));
  EXPECT_FALSE(check_batch(batch.view().first(batch.size() - 1)));
  EXPECT_FALSE(RecordReader::open(batch.view().first(batch.size() - 1), scratch));
  batch.mutable_view()[16] = 1;
  EXPECT_EQ(check_batch(batch.view()).error().message, "magic 1 where 2 is expected");
  batch.mutable_view()[16] = 2;
  batch.mutable_view()[22] = 5;
  EXPECT_EQ(RecordReader::open(batch.view(), scratch).error().code, Errc::unsupported);
  EXPECT_EQ(check_batch(batch.view()).error().code, Errc::corrupt);
}

TEST(Records, FirstRecordAtOrAfterATimeIsFound) {
  RecordScratch scratch;
  for (const Codec codec : all_codecs) {
    BatchBuilder builder(
        {.base_offset = 100, .codec = codec, .compression_level = level_range(codec).standard});
    for (const Timestamp at : {50, 10, 70, 60, 70}) builder.append(at, std::nullopt, as_bytes("v"));
    const SharedBytes batch = builder.build();
    const auto offset_of = [&](Timestamp target, Offset from) -> Offset {
      const auto found = find_by_timestamp(batch.view(), target, from, scratch);
      EXPECT_TRUE(found);
      return found->has_value() ? (*found)->offset : -1;
    };
    EXPECT_EQ(offset_of(0, 0), 100);
    EXPECT_EQ(offset_of(50, 0), 100);
    EXPECT_EQ(offset_of(51, 0), 102);
    EXPECT_EQ(offset_of(60, 103), 103);
    EXPECT_EQ(offset_of(70, 103), 104);
    EXPECT_EQ(offset_of(71, 0), -1);
    EXPECT_EQ(offset_of(0, 105), -1);
  }
}

TEST(Records, LogAppendTimeIsTheTimeOfAllRecords) {
  RecordScratch scratch;
  const SharedBytes batch =
      build_batch({OwnedRecord{.timestamp = 7, .key = {}, .value = {}, .headers = {}},
                   OwnedRecord{.timestamp = 9, .key = {}, .value = {}, .headers = {}}},
                  {.log_append_time = 1'000});
  auto reader = RecordReader::open(batch.view(), scratch);
  Record record;
  ASSERT_TRUE(reader->next(record));
  ASSERT_TRUE(reader->next(record));
  EXPECT_EQ(record.timestamp, 1'000);
  EXPECT_EQ(record.create_timestamp, 9);
  const auto found = find_by_timestamp(batch.view(), 1'000, 1, scratch);
  EXPECT_EQ((*found)->offset, 1);
  EXPECT_FALSE(find_by_timestamp(batch.view(), 1'001, 0, scratch)->has_value());
}

TEST(Records, CompactionMayLeaveGapsAndEmptyBatches) {
  RecordScratch scratch;
  BatchBuilder builder({.base_offset = 10});
  builder.append_at(3, now, as_bytes("k"), std::nullopt);
  builder.append_at(7, now, as_bytes("k"), std::nullopt);
  builder.cover(20);
  const SharedBytes batch = builder.build();
  EXPECT_EQ(check_batch(batch.view())->next_offset(), 31);
  auto reader = RecordReader::open(batch.view(), scratch);
  Record record;
  ASSERT_TRUE(reader->next(record));
  EXPECT_EQ(record.offset, 13);
  ASSERT_TRUE(reader->next(record));
  EXPECT_EQ(record.offset, 17);
  EXPECT_FALSE(reader->next(record));
  EXPECT_TRUE(reader->ok());

  BatchBuilder empty({.base_offset = 10, .codec = Codec::zstd, .compression_level = 3});
  empty.leave_empty(4, now);
  const SharedBytes left = empty.build();
  EXPECT_EQ(left.size(), batch_header_size);
  EXPECT_EQ(check_batch(left.view())->max_timestamp, now);
}

TEST(Records, MarkersSayWhatBecameOfATransaction) {
  RecordScratch scratch;
  const SharedBytes marker = build_transaction_marker(
      {.producer_id = 4'000, .producer_epoch = 3, .commit = true, .coordinator_epoch = 9}, now, 5);
  auto reader = RecordReader::open(marker.view(), scratch);
  EXPECT_TRUE(reader->header().is_control());
  EXPECT_TRUE(reader->header().is_transactional());
  EXPECT_EQ(reader->header().base_sequence, no_sequence);
  Record record;
  ASSERT_TRUE(reader->next(record));
  EXPECT_EQ(control_type(record), ControlType::commit);
  EXPECT_EQ(coordinator_epoch_of(record), 9);
  record.key = as_bytes("abc");
  record.value = as_bytes("12345");
  EXPECT_FALSE(control_type(record));
  EXPECT_FALSE(coordinator_epoch_of(record));
}

TEST(Records, LeaderChangeNamesTheVoters) {
  RecordScratch scratch;
  LeaderChangeMessage message;
  message.leader_id = 2;
  message.voters.emplace_back().voter_id = 1;
  message.voters.emplace_back().voter_id = 2;
  message.granting_voters.emplace_back().voter_id = 2;
  const SharedBytes batch = build_leader_change(message, 10, now, 6);
  auto reader = RecordReader::open(batch.view(), scratch);
  Record record;
  ASSERT_TRUE(reader->next(record));
  EXPECT_EQ(record.offset, 10);
  EXPECT_EQ(control_type(record), ControlType::leader_change);
  // Two bytes of version and four of the leader; then the voters.
  ASSERT_EQ(record.value->size(), 2u + 4 + 1 + 2 * 5 + 1 + 5 + 1);
  EXPECT_EQ(load_be<std::int32_t>(record.value->data() + 2), 2);
}

}  // namespace
}  // namespace chronik::protocol
