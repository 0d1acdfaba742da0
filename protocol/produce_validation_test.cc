// The produce path by stories. That its answers are Kafka's, case by case, is checked against
// Kafka's own answers in wire_check (protocol/wire_check/produce.cc).
#include "protocol/produce_validation.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "protocol/record_builder.h"
#include "protocol/testing/random_batch.h"

namespace chronik::protocol {
namespace {

using testing::all_codecs;
using testing::build_batch;
using testing::OwnedRecord;
using testing::random_records;
using testing::records_of;

constexpr Timestamp now = 1'700'000'000'000;
constexpr ProduceTarget target{
    .topic = "orders", .partition = 3, .produce_version = 13, .now = now};

OwnedRecord record_at(Timestamp timestamp, std::string_view key = "key") {
  return {.timestamp = timestamp, .key = to_bytes(as_bytes(key)), .value = {}, .headers = {}};
}

class ProduceValidation : public ::testing::Test {
 protected:
  ProduceOutcome validate(SharedBytes records) {
    return validate_produce(std::move(records), rules_, target, scratch_);
  }
  AcceptedBatch accepted(SharedBytes records) {
    ProduceOutcome outcome = validate(std::move(records));
    if (auto* rejected = std::get_if<RejectedBatch>(&outcome)) {
      ADD_FAILURE() << error_name(rejected->code) << ": " << rejected->message;
      return {};
    }
    return std::get<AcceptedBatch>(std::move(outcome));
  }
  RejectedBatch rejected(SharedBytes records) {
    ProduceOutcome outcome = validate(std::move(records));
    if (std::holds_alternative<AcceptedBatch>(outcome)) {
      ADD_FAILURE() << "accepted";
      return {};
    }
    return std::get<RejectedBatch>(std::move(outcome));
  }

  ProduceRules rules_;
  RecordScratch scratch_;
};

TEST_F(ProduceValidation, AGoodBatchIsNeitherCopiedNorChanged) {
  Random random(1);
  for (int round = 0; round < 200; ++round) {
    BatchOptions options;
    options.codec = all_codecs[random.below(5)];
    const SharedBytes batch = build_batch(random_records(random, now), options);
    const Bytes before = to_bytes(batch.view());
    const AcceptedBatch result = accepted(batch);
    ASSERT_EQ(result.bytes.data(), batch.data());
    ASSERT_EQ(to_bytes(result.bytes.view()), before);
    ASSERT_EQ(result.header, read_batch_header(batch.view()));
    ASSERT_EQ(result.log_append_time, -1);

    const auto records = *records_of(batch.view(), scratch_);
    ASSERT_EQ(records[static_cast<std::size_t>(result.max_timestamp_delta)].timestamp,
              result.max_timestamp);
    for (const OwnedRecord& record : records) ASSERT_LE(record.timestamp, result.max_timestamp);
  }
}

TEST_F(ProduceValidation, NothingAtAllIsRefused) {
  EXPECT_EQ(rejected(SharedBytes()).code, ErrorCode::invalid_record);
}

TEST_F(ProduceValidation, BytesBehindTheBatchAreCutOffWithoutACopy) {
  const SharedBytes batch = build_batch({record_at(now)});
  Bytes more = to_bytes(batch.view());
  more.insert(more.end(), 11, 0xee);
  const SharedBytes sent = SharedBytes::adopt(std::move(more));
  const AcceptedBatch result = accepted(sent);
  EXPECT_EQ(result.bytes.data(), sent.data());
  EXPECT_EQ(to_bytes(result.bytes.view()), to_bytes(batch.view()));
}

TEST_F(ProduceValidation, AWrongMaxTimestampIsPutRightInPlace) {
  for (const Codec codec : all_codecs) {
    SharedBytes batch =
        build_batch({record_at(now - 5), record_at(now), record_at(now - 9)}, {.codec = codec});
    const Bytes good = to_bytes(batch.view());
    store_be(batch.mutable_view().data() + 35, now + 1'000);
    testing::repair_crc(batch.mutable_view());
    const AcceptedBatch result = accepted(batch);
    EXPECT_EQ(result.bytes.data(), batch.data());
    EXPECT_EQ(to_bytes(result.bytes.view()), good) << codec_name(codec);
    EXPECT_EQ(result.max_timestamp, now);
    EXPECT_EQ(result.max_timestamp_delta, 1);
  }
}

TEST_F(ProduceValidation, LogAppendTimeIsWrittenIntoTheHeader) {
  rules_.timestamp_type = TimestampType::log_append_time;
  // Far out of any range: the topic does not ask for the producer's times.
  const SharedBytes batch = build_batch({record_at(5), record_at(7)});
  const AcceptedBatch result = accepted(batch);
  EXPECT_EQ(result.bytes.data(), batch.data());
  EXPECT_EQ(result.log_append_time, now);
  EXPECT_EQ(result.max_timestamp, now);
  EXPECT_EQ(result.max_timestamp_delta, 0);
  const auto header = check_batch(result.bytes.view());
  ASSERT_TRUE(header) << header.error().message;
  EXPECT_EQ(*header, result.header);
  EXPECT_EQ(header->timestamp_type(), TimestampType::log_append_time);
  EXPECT_EQ(header->base_timestamp, 5) << "the producer's times can still be told";
}

TEST_F(ProduceValidation, AProducerMayNotSayLogAppendTimeItself) {
  const SharedBytes batch = build_batch({record_at(now)}, {.log_append_time = now});
  rules_.timestamp_type = TimestampType::log_append_time;
  const RejectedBatch result = rejected(SharedBytes::copy_of(batch.view()));
  EXPECT_EQ(result.code, ErrorCode::invalid_timestamp);
  ASSERT_EQ(result.record_errors.size(), 1u);
  EXPECT_EQ(
      result.record_errors[0].message,
      "Invalid timestamp type in message DefaultRecord(offset=0, timestamp=1700000000000, "
      "key=3 bytes, value=0 bytes). Producer should not set timestamp type to LogAppendTime.");
  const RejectedBatch partial =
      rejected(build_batch({record_at(now)}, {.codec = Codec::lz4, .log_append_time = now}));
  EXPECT_EQ(partial.record_errors.at(0).message,
            "Invalid timestamp type in message PartialDefaultRecord(offset=0, "
            "timestamp=1700000000000, key=3 bytes, value=-1 bytes). Producer should not set "
            "timestamp type to LogAppendTime.");
  rules_.timestamp_type = TimestampType::create_time;
  EXPECT_EQ(accepted(batch).header.timestamp_type(), TimestampType::create_time);
}

TEST_F(ProduceValidation, RecordsWithoutKeyAreNamedOnACompactedTopic) {
  rules_.compacted = true;
  std::vector<OwnedRecord> records(6, record_at(now));
  for (const std::size_t i : {1u, 2u, 4u, 5u}) records[i].key.reset();
  for (const Codec codec : all_codecs) {
    const RejectedBatch result = rejected(build_batch(records, {.codec = codec}));
    EXPECT_EQ(result.code, ErrorCode::invalid_record);
    ASSERT_EQ(result.record_errors.size(), 4u);
    EXPECT_EQ(result.record_errors[2].batch_index, 4);
    EXPECT_NE(result.message.find("due to 4 record errors in total"), std::string::npos);
    EXPECT_NE(result.message.find("batchIndex=4"), std::string::npos);
    EXPECT_EQ(result.message.find("batchIndex=5"), std::string::npos);
  }
}

TEST_F(ProduceValidation, MillionsOfBadRecordsDoNotMakeMillionsOfErrors) {
  rules_.compacted = true;
  BatchBuilder builder({.codec = Codec::zstd, .compression_level = 3});
  for (int i = 0; i < 500'000; ++i) builder.append(now, std::nullopt, std::nullopt);
  const RejectedBatch result = rejected(builder.build());
  EXPECT_EQ(result.record_errors.size(), 10'000u);
  EXPECT_NE(result.message.find("due to 500000 record errors"), std::string::npos);
}

TEST_F(ProduceValidation, TimestampsAtTheEdgesOfTheRange) {
  rules_.timestamp_before_max_ms = 1'000;
  rules_.timestamp_after_max_ms = 2'000;
  accepted(build_batch({record_at(now - 1'000), record_at(now + 2'000), record_at(-1)}));
  const RejectedBatch result =
      rejected(build_batch({record_at(now - 1'001), record_at(now), record_at(now + 2'001)}));
  EXPECT_EQ(result.code, ErrorCode::invalid_timestamp);
  ASSERT_EQ(result.record_errors.size(), 2u);
  EXPECT_EQ(result.record_errors[0].batch_index, 0);
  EXPECT_EQ(result.record_errors[1].batch_index, 2);
}

TEST_F(ProduceValidation, EveryCodecBecomesEveryOther) {
  Random random(4);
  for (const Codec from : all_codecs) {
    for (const Codec to : all_codecs) {
      for (const bool append_time : {false, true}) {
        rules_ = {};
        rules_.compression = to;
        rules_.compression_level = level_range(to).standard;
        if (append_time) rules_.timestamp_type = TimestampType::log_append_time;
        BatchOptions options;
        options.codec = from;
        options.producer_id = 77;
        options.producer_epoch = 2;
        options.base_sequence = 5;
        options.transactional = random.one_in(2);
        std::vector<OwnedRecord> records = random_records(random, now);
        const SharedBytes batch = build_batch(records, options);
        const AcceptedBatch result = accepted(batch);
        const auto header = check_batch(result.bytes.view());
        ASSERT_TRUE(header) << header.error().message;
        ASSERT_EQ(*header, result.header);
        ASSERT_EQ(header->codec_bits(), static_cast<std::uint8_t>(to));
        ASSERT_EQ(header->producer_id, 77);
        ASSERT_EQ(header->producer_epoch, 2);
        ASSERT_EQ(header->base_sequence, 5);
        ASSERT_EQ(header->is_transactional(), options.transactional);
        ASSERT_EQ(header->max_timestamp, result.max_timestamp);
        if (append_time) {
          for (OwnedRecord& record : records) record.timestamp = now;
        }
        ASSERT_EQ(records_of(result.bytes.view(), scratch_), records);
      }
    }
  }
}

TEST_F(ProduceValidation, SizesAreBoundedBeforeAndAfterRecompression) {
  const std::vector<OwnedRecord> records{
      {.timestamp = now, .key = {}, .value = Bytes(5'000, 'x'), .headers = {}}};
  rules_.max_message_bytes = 1'000;
  const RejectedBatch plain = rejected(build_batch(records));
  EXPECT_EQ(plain.code, ErrorCode::message_too_large);
  EXPECT_NE(plain.message.find("max.message.bytes=1000"), std::string::npos) << plain.message;

  accepted(build_batch(records, {.codec = Codec::gzip}));
  rules_.compression = Codec::none;
  const RejectedBatch grown = rejected(build_batch(records, {.codec = Codec::gzip}));
  EXPECT_EQ(grown.code, ErrorCode::message_too_large);
  EXPECT_NE(grown.message.find("compression.type"), std::string::npos) << grown.message;

  rules_ = {};
  rules_.segment_bytes = 1'000;
  EXPECT_EQ(rejected(build_batch(records)).code, ErrorCode::record_list_too_large);
}

TEST_F(ProduceValidation, EveryBitFlipOfAGoodBatchIsFoundOrHarmless) {
  Random random(5);
  for (const Codec codec : all_codecs) {
    const SharedBytes good = build_batch(random_records(random, now, 5, 100), {.codec = codec});
    for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
      SharedBytes batch = SharedBytes::copy_of(good.view());
      batch.mutable_view()[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
      const std::size_t byte = bit / 8;
      if (byte >= 12 && byte < 16) {
        accepted(batch);  // the leader epoch, which the leader writes anyway
        continue;
      }
      const ErrorCode code = rejected(batch).code;
      if (byte < 8) {
        ASSERT_EQ(code, ErrorCode::invalid_record) << "base offset, bit " << bit;
      } else if (byte < 12 || byte == 16) {
        ASSERT_TRUE(code == ErrorCode::invalid_record || code == ErrorCode::corrupt_message)
            << "length or magic, bit " << bit << ": " << error_name(code);
      } else {
        ASSERT_EQ(code, ErrorCode::corrupt_message) << "bit " << bit;
      }
    }
  }
}

TEST_F(ProduceValidation, RandomDamageUnderARightCrcNeverGetsUnreadableRecordsIntoTheLog) {
  Random random(6);
  int accepted_count = 0;
  for (int round = 0; round < 20'000; ++round) {
    const Codec codec = all_codecs[random.below(5)];
    SharedBytes batch = build_batch(random_records(random, now, 5, 100), {.codec = codec});
    for (std::uint64_t changes = 1 + random.below(3); changes > 0; --changes) {
      const std::size_t at = batch_crc_start + random.below(batch.size() - batch_crc_start);
      batch.mutable_view()[at] = static_cast<std::uint8_t>(random.next());
    }
    testing::repair_crc(batch.mutable_view());
    rules_.compacted = random.one_in(4);
    rules_.compression =
        random.one_in(4) ? std::optional(all_codecs[random.below(5)]) : std::nullopt;
    if (rules_.compression) rules_.compression_level = level_range(*rules_.compression).standard;
    ProduceOutcome outcome = validate(batch);
    if (const auto* rejection = std::get_if<RejectedBatch>(&outcome)) {
      ASSERT_NE(rejection->code, ErrorCode::unknown_server_error);
      ASSERT_NE(rejection->code, ErrorCode::corrupt_message) << "the crc is right";
      ASSERT_FALSE(rejection->message.empty());
      continue;
    }
    ++accepted_count;
    const auto& result = std::get<AcceptedBatch>(outcome);
    ASSERT_TRUE(check_batch(result.bytes.view()));
    ASSERT_TRUE(records_of(result.bytes.view(), scratch_));
  }
  EXPECT_GT(accepted_count, 1'000);
}

// 24 MiB of zeros.
SharedBytes bomb(Codec codec) {
  BatchBuilder builder({.codec = codec, .compression_level = level_range(codec).standard});
  const Bytes zeros(std::size_t{1} << 20, 0);
  for (int i = 0; i < 24; ++i) builder.append(now, as_bytes("k"), ByteView(zeros));
  return builder.build();
}

TEST_F(ProduceValidation, BombsAreRefusedInBoundedMemory) {
  for (const Codec codec : {Codec::gzip, Codec::lz4, Codec::zstd, Codec::snappy}) {
    const SharedBytes batch = bomb(codec);
    rules_ = {};
    rules_.max_message_bytes = 100 << 20;
    rules_.record_limits.decompression.output_bytes_max = 10 << 20;
    rusage before{};
    getrusage(RUSAGE_SELF, &before);
    const RejectedBatch result = rejected(batch);
    rusage after{};
    getrusage(RUSAGE_SELF, &after);
    EXPECT_EQ(result.code, ErrorCode::message_too_large) << codec_name(codec);
    EXPECT_NE(result.message.find("send fewer records"), std::string::npos) << result.message;
    EXPECT_LE(after.ru_maxrss - before.ru_maxrss, 8 * 1024) << codec_name(codec);

    rules_.compression = Codec::none;
    EXPECT_EQ(rejected(batch).code, ErrorCode::message_too_large) << codec_name(codec);
  }
}

TEST_F(ProduceValidation, AnEpochBelowAllEpochsIsRefused) {
  BatchOptions options{.producer_id = 77, .producer_epoch = -2, .base_sequence = 0};
  EXPECT_EQ(rejected(build_batch({record_at(now)}, options)).code,
            ErrorCode::invalid_producer_epoch);
}

}  // namespace
}  // namespace chronik::protocol
