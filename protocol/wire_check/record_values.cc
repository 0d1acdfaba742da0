#include "protocol/wire_check/record_values.h"

#include <string>

#include "protocol/compression.h"
#include "protocol/record_reader.h"
#include "protocol/wire_check/vectors.h"

namespace chronik::protocol::wire_check {

namespace json = boost::json;

namespace {

json::value hex_or_null(const std::optional<ByteView>& bytes) {
  return bytes ? json::value(to_hex(*bytes)) : json::value(nullptr);
}

}  // namespace

json::object header_values(const BatchHeader& header) {
  const auto codec = codec_from_bits(header.codec_bits());
  return {
      {"base_offset", header.base_offset},
      {"length", header.length},
      {"leader_epoch", header.leader_epoch},
      {"magic", header.magic},
      {"crc", header.crc},
      {"attributes", header.attributes},
      {"codec", codec ? codec_name(*codec) : "unknown"},
      {"timestamp_type",
       header.timestamp_type() == TimestampType::log_append_time ? "LogAppendTime" : "CreateTime"},
      {"transactional", header.is_transactional()},
      {"control", header.is_control()},
      {"delete_horizon", header.has_delete_horizon()},
      {"last_offset_delta", header.last_offset_delta},
      {"base_timestamp", header.base_timestamp},
      {"max_timestamp", header.max_timestamp},
      {"producer_id", header.producer_id},
      {"producer_epoch", header.producer_epoch},
      {"base_sequence", header.base_sequence},
      {"count", header.record_count}};
}

Result<json::array> record_values(ByteView batch, RecordScratch& scratch) {
  TRY_ASSIGN(RecordReader reader, RecordReader::open(batch, scratch));
  json::array values;
  Record record;
  while (reader.next(record)) {
    json::object value{{"offset", record.offset}, {"timestamp", record.timestamp}};
    if (record.sequence != no_sequence) value["sequence"] = record.sequence;
    value["key"] = hex_or_null(record.key);
    value["value"] = hex_or_null(record.value);
    json::array headers;
    for (const RecordHeader& header : record.headers()) {
      headers.push_back(json::array{json::string(header.key), hex_or_null(header.value)});
    }
    value["headers"] = std::move(headers);
    values.push_back(std::move(value));
  }
  if (!reader.ok()) return Error{Errc::corrupt, reader.problem()};
  return values;
}

}  // namespace chronik::protocol::wire_check
