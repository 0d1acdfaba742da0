// What a broker does with the `records` of one partition of a Produce request before they go into
// the log: framing, CRC, header and record checks, timestamps, recompression. Pure; as Kafka 4.4's
// produce path (ProduceRequest.validateRecords, UnifiedLog's analysis, LogValidator), in its order,
// so that a bad batch gets the error and the record_errors it gets from Kafka.
//
// The usual batch is checked in one pass over its bytes for the CRC and one over its records, and
// is never copied: what Kafka would rewrite (max timestamp, timestamp type) is patched in place.
// Producer state (sequences, epochs, transactions) is the partition's to check, afterwards.
//
// Where this is clearer or stricter than Kafka on purpose: Kafka answers UNKNOWN_SERVER_ERROR where
// a Java exception escapes (compressed bytes that do not decompress, offsets in disorder inside a
// compressed batch, an over-long varint): here it is INVALID_RECORD with what is wrong, as a batch
// whose CRC is right will not get better by sending it again. Unknown codec bits get
// UNSUPPORTED_COMPRESSION_TYPE. Kafka does not compare a record's length with its parts when the
// batch is compressed; its consumers do, and stop there: here it is INVALID_RECORD. What would
// decompress without bound gets MESSAGE_TOO_LARGE, on which producers split. Every rejection
// carries a message.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "protocol/errors.h"
#include "protocol/record_batch.h"
#include "protocol/record_scanner.h"

namespace chronik::protocol {

/// The settings of a topic that decide about its batches, by Kafka's names and with its defaults.
struct ProduceRules {
  std::int32_t max_message_bytes = 1'048'588;
  std::int64_t segment_bytes = 1'073'741'824;
  /// max.decompressed.message.bytes, and chronik's own bounds on a whole batch.
  RecordLimits record_limits;
  /// compression.type: nothing is "producer", Codec::none is "uncompressed".
  std::optional<Codec> compression;
  int compression_level = 0;  // must fit `compression`
  TimestampType timestamp_type = TimestampType::create_time;
  std::int64_t timestamp_before_max_ms = std::numeric_limits<std::int64_t>::max();
  std::int64_t timestamp_after_max_ms = 3'600'000;
  /// cleanup.policy contains "compact": every record needs a key.
  bool compacted = false;
};

/// Where the batch is going, and when.
struct ProduceTarget {
  std::string_view topic;
  std::int32_t partition = 0;
  std::int16_t produce_version = 0;
  Timestamp now = 0;
};

struct AcceptedBatch {
  /// Ready for the log but for the base offset and the leader epoch, which are outside the CRC.
  SharedBytes bytes;
  BatchHeader header;  // of `bytes`
  /// The greatest timestamp of a record, or -1, and its place: the index of the first record that
  /// has it, which is its offset delta. 0 when no record has it.
  Timestamp max_timestamp = -1;
  std::int32_t max_timestamp_delta = 0;
  /// What the Produce response says: the time on LogAppendTime topics, else -1.
  Timestamp log_append_time = -1;
};

struct RecordError {
  std::int32_t batch_index = 0;
  std::string message;
};

struct RejectedBatch {
  ErrorCode code = ErrorCode::invalid_record;
  std::string message;
  std::vector<RecordError> record_errors;  // the first 10,000; `message` has the total
};

using ProduceOutcome = std::variant<AcceptedBatch, RejectedBatch>;

/// Preconditions: nobody else reads or writes the bytes of `records` (its neighbours in the same
/// frame may be in use); produce_version >= 3; rules.compression_level fits rules.compression.
/// A null `records` field is passed as empty.
ProduceOutcome validate_produce(SharedBytes records, const ProduceRules& rules,
                                const ProduceTarget& target, RecordScratch& scratch);

}  // namespace chronik::protocol
