// The checks of single records in produce validation: timestamps within the topic's bounds, keys on
// compacted topics. RecordChecks answers for one record, in a few instructions; FlawList says in
// Kafka's words what is wrong with which.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "protocol/produce_validation.h"
#include "protocol/record_reader.h"

namespace chronik::protocol {

class RecordChecks {
 public:
  RecordChecks(const BatchHeader& header, const ProduceRules& rules, const ProduceTarget& target)
      : base_timestamp_(static_cast<std::uint64_t>(header.base_timestamp)),
        batch_timestamp_(header.max_timestamp),
        now_(target.now),
        before_max_ms_(rules.timestamp_before_max_ms),
        after_max_ms_(rules.timestamp_after_max_ms),
        claims_append_time_(header.timestamp_type() == TimestampType::log_append_time),
        checks_range_(rules.timestamp_type == TimestampType::create_time),
        needs_key_(rules.compacted) {}

  /// Sums wrap, as Java's do.
  Timestamp timestamp_of(const RecordSkeleton& record) const {
    if (claims_append_time_) return batch_timestamp_;
    return static_cast<Timestamp>(base_timestamp_ +
                                  static_cast<std::uint64_t>(record.timestamp_delta));
  }

  bool is_flawed(const RecordSkeleton& record, Timestamp timestamp) const {
    return lacks_key(record.has_key()) || has_bad_timestamp(timestamp);
  }

  bool lacks_key(bool has_key) const { return needs_key_ && !has_key; }

  /// Of a record without a timestamp, and where the topic sets them, the range is not asked.
  bool asks_range_of(Timestamp timestamp) const {
    return checks_range_ && timestamp != no_timestamp;
  }

  bool has_bad_timestamp(Timestamp timestamp) const {
    return asks_range_of(timestamp) ? is_out_of_range(timestamp) : claims_append_time_;
  }

  bool is_out_of_range(Timestamp timestamp) const {
    const auto difference =
        static_cast<std::uint64_t>(now_) - static_cast<std::uint64_t>(timestamp);
    return static_cast<std::int64_t>(difference) > before_max_ms_ ||
           static_cast<std::int64_t>(0 - difference) > after_max_ms_;
  }

  /// The range as it is told to a client; wraps as in Kafka's message.
  Timestamp earliest() const {
    return static_cast<Timestamp>(static_cast<std::uint64_t>(now_) -
                                  static_cast<std::uint64_t>(before_max_ms_));
  }
  Timestamp latest() const {
    return static_cast<Timestamp>(static_cast<std::uint64_t>(now_) +
                                  static_cast<std::uint64_t>(after_max_ms_));
  }

 private:
  static constexpr Timestamp no_timestamp = -1;

  std::uint64_t base_timestamp_;
  Timestamp batch_timestamp_;
  Timestamp now_;
  std::int64_t before_max_ms_;
  std::int64_t after_max_ms_;
  bool claims_append_time_;
  bool checks_range_;
  bool needs_key_;
};

/// Collects what is wrong with the records of one batch, in their order. A record that was only
/// stepped over inside a compressed batch is "partial" in Kafka's messages.
class FlawList {
 public:
  FlawList(const RecordChecks& checks, const ProduceTarget& target, bool partial)
      : checks_(checks), target_(target), partial_(partial) {}

  void look_at(const RecordSkeleton& record) {
    look_at({.offset = record.offset_delta,
             .timestamp = checks_.timestamp_of(record),
             .key_size = record.key_length,
             .value_size = record.value_length});
  }
  void look_at(const Record& record) {
    look_at({.offset = record.offset,
             .timestamp = record.timestamp,
             .key_size = record.key ? static_cast<std::int64_t>(record.key->size()) : -1,
             .value_size = record.value ? static_cast<std::int64_t>(record.value->size()) : -1});
  }

  bool empty() const { return total_ == 0; }
  /// Precondition: !empty().
  RejectedBatch to_rejection();

 private:
  struct Seen {
    Offset offset;
    Timestamp timestamp;
    std::int64_t key_size;
    std::int64_t value_size;
  };
  void look_at(const Seen& record);
  std::string key_message() const;
  std::string timestamp_message(const Seen& record) const;

  const RecordChecks& checks_;
  const ProduceTarget& target_;
  const bool partial_;
  std::int32_t index_ = 0;  // of the record looked at
  std::int64_t total_ = 0;
  bool bad_timestamp_ = false;
  std::vector<RecordError> errors_;
};

}  // namespace chronik::protocol
