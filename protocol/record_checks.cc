#include "protocol/record_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace chronik::protocol {
namespace {

/// A batch may hold millions of records, and each error costs a line of text in the response.
constexpr std::size_t listed_max = 10'000;
/// As many as Kafka quotes in the message for the whole batch.
constexpr std::size_t quoted_max = 3;

}  // namespace

void FlawList::look_at(const Seen& record) {
  const std::int32_t index = index_++;
  const bool lacks_key = checks_.lacks_key(record.key_size >= 0);
  const bool bad_timestamp = !lacks_key && checks_.has_bad_timestamp(record.timestamp);
  if (!lacks_key && !bad_timestamp) return;
  ++total_;
  bad_timestamp_ |= bad_timestamp;
  if (errors_.size() < listed_max) {
    errors_.push_back(
        {.batch_index = index, .message = lacks_key ? key_message() : timestamp_message(record)});
  }
}

std::string FlawList::key_message() const {
  return fmt::format("Compacted topic cannot accept message without key in topic partition {}-{}",
                     target_.topic, target_.partition);
}

std::string FlawList::timestamp_message(const Seen& record) const {
  if (checks_.asks_range_of(record.timestamp)) {
    return fmt::format(
        "Timestamp {} of message with offset {} is out of range. The timestamp should be within "
        "[{}, {}]",
        record.timestamp, record.offset, checks_.earliest(), checks_.latest());
  }
  // Kafka prints the length of a null as it stands where it has not built the record.
  const auto size = [this](std::int64_t length) {
    return partial_ ? length : std::max<std::int64_t>(length, 0);
  };
  return fmt::format(
      "Invalid timestamp type in message {}(offset={}, timestamp={}, key={} bytes, value={} "
      "bytes). Producer should not set timestamp type to LogAppendTime.",
      partial_ ? "PartialDefaultRecord" : "DefaultRecord", record.offset, record.timestamp,
      size(record.key_size), size(record.value_size));
}

RejectedBatch FlawList::to_rejection() {
  CHECK(!empty());
  RejectedBatch rejected;
  if (bad_timestamp_) {
    rejected.code = ErrorCode::invalid_timestamp;
    rejected.message = "One or more records have been rejected due to invalid timestamp";
  } else {
    std::string quoted;
    for (std::size_t i = 0; i < std::min(errors_.size(), quoted_max); ++i) {
      if (i != 0) quoted += ", ";
      quoted += fmt::format("RecordError(batchIndex={}, message='{}')", errors_[i].batch_index,
                            errors_[i].message);
    }
    rejected.code = ErrorCode::invalid_record;
    rejected.message = fmt::format(
        "One or more records have been rejected due to {} record errors in total, and only showing "
        "the first three errors at most: [{}]",
        total_, quoted);
  }
  rejected.record_errors = std::move(errors_);
  return rejected;
}

}  // namespace chronik::protocol
