#include "wal/batch_filter.h"

#include <spdlog/fmt/fmt.h>

#include "protocol/record_builder.h"

namespace chronik::wal {

namespace {

using protocol::BatchHeader;

Result<protocol::RecordReader> open_batch(ByteView batch, protocol::RecordScratch& scratch) {
  const BatchHeader header = protocol::read_batch_header(batch);
  if (header.is_control() || header.is_transactional()) {
    return Error{
        Errc::unsupported,
        fmt::format("the batch at offset {} {}: this version writes no such batch and cannot "
                    "tell which of the records count, so it compacts no log that has one",
                    header.base_offset,
                    header.is_control() ? "is a control batch" : "belongs to a transaction")};
  }
  Result<protocol::RecordReader> reader = protocol::RecordReader::open(batch, scratch);
  if (!reader) {
    return Error{reader.error().code, fmt::format("the batch at offset {}: {}", header.base_offset,
                                                  reader.error().message)};
  }
  return reader;
}

Error unreadable(const BatchHeader& header, const std::string& problem) {
  return {Errc::corrupt, fmt::format("the batch at offset {}: {}", header.base_offset, problem)};
}

bool stays(const protocol::Record& record, const BatchHeader& header, const OffsetMap& keys,
           const RetentionRules& rules) {
  if (record.offset >= rules.mapped_end) return true;
  if (!record.key.has_value()) return false;
  const std::optional<Offset> last = keys.find(*record.key);
  if (last.has_value() && *last > record.offset) return false;
  return record.value.has_value() || !header.has_delete_horizon() ||
         rules.now < header.base_timestamp;
}

protocol::BatchOptions options_of(const BatchHeader& header) {
  protocol::BatchOptions options;
  options.base_offset = header.base_offset;
  options.leader_epoch = header.leader_epoch;
  options.codec = static_cast<protocol::Codec>(header.codec_bits());
  options.compression_level = protocol::level_range(options.codec).standard;
  if (header.timestamp_type() == protocol::TimestampType::log_append_time) {
    options.log_append_time = header.max_timestamp;
  }
  options.producer_id = header.producer_id;
  options.producer_epoch = header.producer_epoch;
  options.base_sequence = header.base_sequence;
  if (header.has_delete_horizon()) options.delete_horizon = header.base_timestamp;
  return options;
}

/// What a first look at a batch finds.
struct Survey {
  std::int32_t kept = 0;
  bool keeps_tombstone = false;
};

Result<Survey> survey(ByteView batch, const BatchHeader& header, const OffsetMap& keys,
                      const RetentionRules& rules, protocol::RecordScratch& scratch) {
  TRY_ASSIGN(protocol::RecordReader reader, open_batch(batch, scratch));
  Survey found;
  protocol::Record record;
  Offset next = header.base_offset;
  while (reader.next(record)) {
    if (record.offset < next || record.offset > header.last_offset()) {
      return unreadable(header, "the offsets of its records are out of order");
    }
    next = record.offset + 1;
    if (!stays(record, header, keys, rules)) continue;
    ++found.kept;
    found.keeps_tombstone = found.keeps_tombstone || !record.value.has_value();
  }
  if (!reader.ok()) return unreadable(header, reader.problem());
  return found;
}

Result<SharedBytes> rewrite(ByteView batch, const BatchHeader& header,
                            const protocol::BatchOptions& options, const OffsetMap& keys,
                            const RetentionRules& rules, protocol::RecordScratch& scratch) {
  TRY_ASSIGN(protocol::RecordReader reader, open_batch(batch, scratch));
  protocol::BatchBuilder builder(options);
  protocol::Record record;
  std::vector<protocol::RecordHeader> headers;
  while (reader.next(record)) {
    if (!stays(record, header, keys, rules)) continue;
    record.headers(headers);
    builder.append_at(static_cast<std::int32_t>(record.offset - header.base_offset),
                      record.timestamp, record.key, record.value, headers);
  }
  if (!reader.ok()) return unreadable(header, reader.problem());
  builder.cover(header.last_offset_delta);
  return builder.build();
}

}  // namespace

Result<FilteredBatch> filter_batch(ByteView batch, const OffsetMap& keys,
                                   const RetentionRules& rules, bool keep_empty,
                                   protocol::RecordScratch& scratch) {
  const BatchHeader header = protocol::read_batch_header(batch);
  FilteredBatch result;
  TRY_ASSIGN(const Survey found, survey(batch, header, keys, rules, scratch));
  result.records_kept = found.kept;
  const bool starts_horizon = found.keeps_tombstone && !header.has_delete_horizon();
  if (found.kept == header.record_count && !starts_horizon && (found.kept != 0 || keep_empty)) {
    result.outcome = FilteredBatch::Outcome::unchanged;
    return result;
  }
  if (found.kept == 0 && !keep_empty) return result;
  protocol::BatchOptions options = options_of(header);
  result.outcome = FilteredBatch::Outcome::rewritten;
  if (found.kept == 0) {
    options.codec = protocol::Codec::none;
    options.compression_level = 0;
    options.delete_horizon.reset();
    protocol::BatchBuilder builder(options);
    builder.leave_empty(header.last_offset_delta, header.max_timestamp);
    result.bytes = builder.build();
    return result;
  }
  if (starts_horizon) options.delete_horizon = rules.now + rules.delete_retention.count();
  TRY_ASSIGN(result.bytes, rewrite(batch, header, options, keys, rules, scratch));
  return result;
}

Result<bool> map_keys(ByteView batch, Offset from, OffsetMap& keys, Offset& mapped_end,
                      protocol::RecordScratch& scratch) {
  const BatchHeader header = protocol::read_batch_header(batch);
  TRY_ASSIGN(protocol::RecordReader reader, open_batch(batch, scratch));
  protocol::Record record;
  while (reader.next(record)) {
    if (record.offset < from || !record.key.has_value()) continue;
    if (!keys.put(*record.key, record.offset)) {
      mapped_end = record.offset;
      return false;
    }
  }
  if (!reader.ok()) return unreadable(header, reader.problem());
  mapped_end = header.next_offset();
  return true;
}

}  // namespace chronik::wal
