// batches.jsonl: record batches are read, compared field by field and record by record, and written
// anew; old message sets are read.
#include <fmt/format.h>

#include "protocol/compression.h"
#include "protocol/record_builder.h"
#include "protocol/record_reader.h"
#include "protocol/wire_check/checks.h"
#include "protocol/wire_check/legacy_records.h"
#include "protocol/wire_check/record_values.h"
#include "protocol/wire_check/vectors.h"

namespace chronik::protocol::wire_check {

namespace json = boost::json;

namespace {

/// The same records through BatchBuilder. Preconditions: `batch` was read without a problem.
SharedBytes written_anew(ByteView batch, RecordScratch& scratch) {
  RecordReader reader = RecordReader::open(batch, scratch).value();
  const BatchHeader& header = reader.header();
  BatchOptions options;
  options.base_offset = header.base_offset;
  options.leader_epoch = header.leader_epoch;
  options.codec = static_cast<Codec>(header.codec_bits());
  options.compression_level = level_range(options.codec).standard;
  if (header.timestamp_type() == TimestampType::log_append_time) {
    options.log_append_time = header.max_timestamp;
  }
  options.producer_id = header.producer_id;
  options.producer_epoch = header.producer_epoch;
  options.base_sequence = header.base_sequence;
  options.transactional = header.is_transactional();
  options.control = header.is_control();
  if (header.has_delete_horizon()) options.delete_horizon = header.base_timestamp;
  BatchBuilder builder(options);
  Record record;
  while (reader.next(record)) {
    builder.append_at(static_cast<std::int32_t>(record.offset - header.base_offset),
                      record.create_timestamp, record.key, record.value, record.headers());
  }
  if (builder.record_count() == 0) {
    builder.leave_empty(header.last_offset_delta, header.max_timestamp);
  } else {
    builder.cover(header.last_offset_delta);
  }
  return builder.build();
}

void check_written(const std::string& where, ByteView batch, RecordScratch& scratch,
                   const json::object& line, Report& report) {
  const SharedBytes written = written_anew(batch, scratch);
  if (read_batch_header(batch).codec_bits() == static_cast<std::uint8_t>(Codec::none)) {
    const std::string difference = byte_difference(batch, written.view());
    if (!difference.empty()) report.mismatch(where, "written anew, " + difference);
    return;
  }
  // Each compressor packs in its own way: all but length and crc must be the same.
  BatchHeader expected = read_batch_header(batch);
  const auto actual = check_batch(written.view());
  if (!actual) return report.mismatch(where, "written anew: " + actual.error().message);
  expected.length = actual->length;
  expected.crc = actual->crc;
  if (expected != *actual) report.mismatch(where, "written anew, the header differs");
  const auto records = record_values(written.view(), scratch);
  if (!records) return report.mismatch(where, "written anew: " + records.error().message);
  if (const auto wrong = first_difference(line.at("records"), *records, "/records")) {
    report.mismatch(where, "written anew, " + *wrong);
  }
}

void check_batch_line(const std::string& where, const json::object& line, ByteView batch,
                      RecordScratch& scratch, Report& report) {
  const auto header = check_batch(batch);
  if (!header) return report.mismatch(where, header.error().message);
  if (header->size() != batch.size()) return report.mismatch(where, "bytes are left over");
  if (const auto wrong = first_difference(line.at("fields"), header_values(*header), "/fields")) {
    report.mismatch(where, *wrong);
  }
  if (header->last_offset() != number_of(line, "last_offset") ||
      header->last_sequence() != number_of(line, "last_sequence")) {
    report.mismatch(where, fmt::format("last offset {} and sequence {}", header->last_offset(),
                                       header->last_sequence()));
  }
  if (line.contains("delete_horizon_ms") &&
      (!header->has_delete_horizon() ||
       header->base_timestamp != number_of(line, "delete_horizon_ms"))) {
    report.mismatch(where, "the delete horizon differs");
  }
  const auto records = record_values(batch, scratch);
  if (!records) return report.mismatch(where, records.error().message);
  if (const auto wrong = first_difference(line.at("records"), *records, "/records")) {
    return report.mismatch(where, *wrong);
  }
  check_written(where, batch, scratch, line, report);
}

void check_legacy_line(const std::string& where, const json::object& line, ByteView set,
                       Report& report) {
  const auto records = read_legacy_records(set);
  if (!records) return report.mismatch(where, records.error().message);
  json::array values;
  const auto hex = [](const std::optional<Bytes>& bytes) {
    return bytes ? json::value(to_hex(*bytes)) : json::value(nullptr);
  };
  for (const LegacyRecord& record : *records) {
    values.push_back(json::object{{"offset", record.offset},
                                  {"timestamp", record.timestamp},
                                  {"key", hex(record.key)},
                                  {"value", hex(record.value)},
                                  {"headers", json::array()}});
  }
  if (const auto wrong = first_difference(line.at("records"), values, "/records")) {
    report.mismatch(where, *wrong);
  }
}

}  // namespace

void check_batches(Disk& disk, const std::string& folder, Report& report) {
  RecordScratch scratch;
  for_each_line(disk, folder + "/batches.jsonl", report,
                [&](const std::string& where, const json::object& line) {
                  report.vector();
                  const auto bytes = from_hex(text_of(line, "hex"));
                  if (!bytes) return report.mismatch(where, "no hex");
                  if (number_of(line, "magic") < 2) {
                    check_legacy_line(where, line, *bytes, report);
                  } else {
                    check_batch_line(where, line, *bytes, scratch, report);
                  }
                });
}

}  // namespace chronik::protocol::wire_check
