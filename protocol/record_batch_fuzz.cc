// Hostile bytes as the records of a Produce request. The first four bytes choose the topic's
// settings and whether length, magic, base offset and crc are put right, which lets the rest reach
// the records.
#include <algorithm>

#include "base/check.h"
#include "base/coding.h"
#include "protocol/compression.h"
#include "protocol/produce_validation.h"
#include "protocol/record_reader.h"

namespace chronik::protocol {
namespace {

constexpr Timestamp now = 1'700'000'000'000;

void mend(MutableByteView batch) {
  if (batch.size() < batch_header_size) return;
  store_be(batch.data(), Offset{0});
  store_be(batch.data() + 8, static_cast<std::int32_t>(batch.size() - batch_length_overhead));
  batch[16] = 2;
  store_be(batch.data() + batch_crc_position, compute_batch_crc(batch));
}

ProduceRules rules_from(ByteView choice) {
  ProduceRules rules;
  if ((choice[0] & 0x01) != 0) rules.timestamp_type = TimestampType::log_append_time;
  rules.compacted = (choice[0] & 0x02) != 0;
  if ((choice[0] & 0x04) != 0) rules.timestamp_before_max_ms = 1'000;
  if ((choice[0] & 0x08) != 0) {
    rules.compression = static_cast<Codec>(choice[1] % 5);
    rules.compression_level = level_range(*rules.compression).standard;
  }
  if ((choice[0] & 0x10) != 0) rules.record_limits.record_bytes_max = 100;
  rules.record_limits.decompression = {
      .output_bytes_max = 1 << 20, .ratio_free_bytes = 1 << 18, .ratio_max = 100};
  return rules;
}

void check_accepted(const AcceptedBatch& accepted, bool claimed_append_time,
                    RecordScratch& scratch) {
  const auto header = check_batch(accepted.bytes.view());
  CHECK(header.has_value() && *header == accepted.header);
  CHECK(header->size() == accepted.bytes.size());
  CHECK(header->base_offset == 0 && header->last_offset_delta == header->record_count - 1);
  CHECK(accepted.max_timestamp_delta >= 0 && accepted.max_timestamp_delta < header->record_count);
  auto reader = RecordReader::open(accepted.bytes.view(), scratch);
  CHECK(reader.has_value());
  Timestamp max_timestamp = -1;
  Record record;
  while (reader->next(record)) {
    max_timestamp = std::max(max_timestamp, record.timestamp);
    record.headers();
  }
  CHECK_MSG(reader->ok(), reader->problem());
  // A producer's LogAppendTime hides the times of the records from validation, as in Kafka.
  CHECK(claimed_append_time || max_timestamp == accepted.max_timestamp);
}

int run(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t choice_size = 4;
  if (size < choice_size) return 0;
  const ByteView choice{data, choice_size};
  static RecordScratch scratch;
  SharedBytes records = SharedBytes::copy_of({data + choice_size, size - choice_size});
  if ((choice[2] & 0x01) != 0) mend(records.mutable_view());

  // Whatever it is, reading it must stay inside of it.
  if (auto reader = RecordReader::open(records.view(), scratch)) {
    Record record;
    while (reader->next(record)) record.headers();
    (void)find_by_timestamp(records.view(), now, 0, scratch);
  }

  const ProduceTarget target{.topic = "t",
                             .partition = 0,
                             .produce_version = static_cast<std::int16_t>(3 + choice[3] % 11),
                             .now = now};
  const bool claimed_append_time =
      records.size() >= batch_header_size &&
      read_batch_header(records.view()).timestamp_type() == TimestampType::log_append_time;
  const ProduceOutcome outcome = validate_produce(records, rules_from(choice), target, scratch);
  if (const auto* accepted = std::get_if<AcceptedBatch>(&outcome)) {
    check_accepted(*accepted, claimed_append_time, scratch);
  } else {
    CHECK(!std::get<RejectedBatch>(outcome).message.empty());
  }
  return 0;
}

}  // namespace
}  // namespace chronik::protocol

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return chronik::protocol::run(data, size);
}
