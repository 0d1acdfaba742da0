// broken.jsonl and validated.jsonl: batches through the code of the broker's produce path. The
// answer (error code, record_errors, and the message where Kafka sends one) and the bytes that go
// into the log must be Kafka's, but for the cases of the table below.
#include <fmt/format.h>

#include <array>

#include "protocol/compression.h"
#include "protocol/produce_validation.h"
#include "protocol/record_reader.h"
#include "protocol/wire_check/checks.h"
#include "protocol/wire_check/record_values.h"
#include "protocol/wire_check/vectors.h"

namespace chronik::protocol::wire_check {

namespace json = boost::json;

namespace {

/// Where we answer otherwise than Kafka on purpose: Kafka's exception, how its message begins, what
/// we answer, and why. In these Kafka's code is UNKNOWN_SERVER_ERROR, which tells a client nothing,
/// and ours is as final for a producer.
struct Deliberate {
  std::string_view exception;
  std::string_view message;
  ErrorCode ours;
  std::string_view reason;
};
constexpr std::array deliberate{
    Deliberate{"KafkaException", "", ErrorCode::invalid_record,
               "compressed bytes that do not decompress, under a right crc: Kafka lets an "
               "exception escape (UNKNOWN_SERVER_ERROR); we say INVALID_RECORD and what is wrong. "
               "Not CORRUPT_MESSAGE, on which producers send the same bytes again until they time "
               "out"},
    Deliberate{"UnsupportedOperationException", "key is skipped", ErrorCode::invalid_record,
               "offsets in disorder inside a compressed batch: Kafka means to say INVALID_RECORD "
               "and fails in building the text (UNKNOWN_SERVER_ERROR)"},
    Deliberate{"IllegalArgumentException", "Varint is too long", ErrorCode::invalid_record,
               "a record's length of more than 5 bytes: Kafka says INVALID_RECORD when the batch "
               "is compressed and UNKNOWN_SERVER_ERROR when it is not; we say INVALID_RECORD for "
               "both"},
    Deliberate{"IllegalArgumentException", "newLimit < 0", ErrorCode::invalid_record,
               "a batch length close to 2^31 overflows in Kafka (UNKNOWN_SERVER_ERROR); to us it "
               "is a cut batch like any other whose length goes beyond its bytes"},
    Deliberate{"IllegalArgumentException", "Unknown compression type",
               ErrorCode::unsupported_compression_type,
               "codec bits 5 to 7: Kafka lets an exception escape (UNKNOWN_SERVER_ERROR); we say "
               "UNSUPPORTED_COMPRESSION_TYPE"},
};

/// And where Kafka accepts what we refuse, by how our message goes.
constexpr std::string_view stricter_message = "and its parts take";
constexpr std::string_view stricter_reason =
    "a record inside a compressed batch whose length is not that of its parts: Kafka's broker "
    "takes "
    "it into the log, where Kafka's consumer stops at it for good; we say INVALID_RECORD, as Kafka "
    "does when the batch is not compressed";

const Deliberate* find_deliberate(const json::object& line) {
  const std::string stage = text_of(line.at("answer").as_object(), "stage");
  if (stage.empty()) return nullptr;
  const json::object& failure = line.at(stage).as_object();
  const std::string exception = text_of(failure, "exception");
  const std::string message = text_of(failure, "message");
  for (const Deliberate& entry : deliberate) {
    if (exception == entry.exception && message.starts_with(entry.message)) return &entry;
  }
  return nullptr;
}

constexpr std::string_view topic = "t";  // of all the vectors, partition 0
constexpr LeaderEpoch broken_leader_epoch = 7;
constexpr Timestamp broken_now = 1'700'000'000'000;

/// False where a setting is not one of those that the vectors use.
bool apply_setting(std::string_view name, const std::string& value, ProduceRules& rules) {
  if (name == "max.message.bytes") {
    rules.max_message_bytes = std::stoi(value);
  } else if (name == "max.decompressed.message.bytes") {
    rules.record_limits.record_bytes_max = std::stoi(value);
  } else if (name == "message.timestamp.before.max.ms") {
    rules.timestamp_before_max_ms = std::stoll(value);
  } else if (name == "cleanup.policy" && value == "compact") {
    rules.compacted = true;
  } else {
    return false;
  }
  return true;
}

/// What goes into the log: the leader sets the two fields outside of the crc.
SharedBytes appended(AcceptedBatch accepted, Offset base_offset, LeaderEpoch leader_epoch) {
  set_base_offset(accepted.bytes.mutable_view(), base_offset);
  set_leader_epoch(accepted.bytes.mutable_view(), leader_epoch);
  return std::move(accepted.bytes);
}

void check_accepted(const std::string& where, const json::object& line, AcceptedBatch accepted,
                    Report& report) {
  const json::object& expected = line.at("log_append").as_object();
  const json::object actual{{"last_offset", accepted.header.last_offset_delta},
                            {"max_timestamp", accepted.max_timestamp},
                            {"log_append_time", accepted.log_append_time}};
  for (const auto& [name, value] : actual) {
    if (const auto wrong = first_difference(expected.at(name), value, name)) {
      report.mismatch(where, *wrong);
    }
  }
  const SharedBytes bytes = appended(std::move(accepted), 0, broken_leader_epoch);
  const auto after = from_hex(text_of(expected, "after"));
  const std::string difference = byte_difference(after.value_or(Bytes()), bytes.view());
  if (!difference.empty()) report.mismatch(where, "in the log, " + difference);
}

void check_rejected(const std::string& where, const json::object& line,
                    const RejectedBatch& rejected, Report& report) {
  const json::object& answer = line.at("answer").as_object();
  if (to_wire(rejected.code) != number_of(answer, "code")) {
    if (number_of(answer, "code") == 0 && rejected.code == ErrorCode::invalid_record &&
        rejected.message.find(stricter_message) != std::string::npos) {
      return report.deliberate(where, stricter_reason);
    }
    const Deliberate* entry = find_deliberate(line);
    if (entry != nullptr && entry->ours == rejected.code) {
      return report.deliberate(where, entry->reason);
    }
    return report.mismatch(where, fmt::format("{} expected, got {}: {}", text_of(answer, "error"),
                                              error_name(rejected.code), rejected.message));
  }
  if (rejected.message.empty()) report.mismatch(where, "a rejection without a message");
  if (answer.contains("error_message") && rejected.message != text_of(answer, "error_message")) {
    report.mismatch(where, fmt::format("message \"{}\" expected, got \"{}\"",
                                       text_of(answer, "error_message"), rejected.message));
  }
  json::array errors;
  for (const RecordError& error : rejected.record_errors) {
    errors.push_back(json::object{{"index", error.batch_index}, {"message", error.message}});
  }
  const json::value* listed = answer.if_contains("record_errors");
  if (const auto wrong =
          first_difference(listed != nullptr ? *listed : json::array(), errors, "/record_errors")) {
    report.mismatch(where, *wrong);
  }
}

void check_broken_line(const std::string& where, const json::object& line, RecordScratch& scratch,
                       Report& report) {
  report.vector();
  const auto bytes = from_hex(text_of(line, "hex"));
  if (!bytes) return report.mismatch(where, "no hex");
  ProduceRules rules;
  if (const json::value* settings = line.if_contains("topic_config")) {
    for (const auto& [name, value] : settings->as_object()) {
      if (!apply_setting(name, std::string(value.as_string()), rules)) {
        return report.mismatch(where, fmt::format("unknown setting {}", std::string_view(name)));
      }
    }
  }
  const ProduceTarget target{
      .topic = topic,
      .partition = 0,
      .produce_version = static_cast<std::int16_t>(number_of(line, "produce_version")),
      .now = broken_now};
  ProduceOutcome outcome = validate_produce(SharedBytes::copy_of(*bytes), rules, target, scratch);
  if (const auto* rejected = std::get_if<RejectedBatch>(&outcome)) {
    return check_rejected(where, line, *rejected, report);
  }
  if (number_of(line.at("answer").as_object(), "code") != 0) {
    return report.mismatch(where, fmt::format("{} expected, got accepted",
                                              text_of(line.at("answer").as_object(), "error")));
  }
  check_accepted(where, line, std::get<AcceptedBatch>(std::move(outcome)), report);
}

ProduceRules rules_of(const json::object& line) {
  ProduceRules rules;
  const std::string wanted = text_of(line, "compression_type");
  for (const Codec codec : {Codec::none, Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd}) {
    if (wanted == codec_name(codec)) {
      rules.compression = codec;
      rules.compression_level = level_range(codec).standard;
    }
  }
  if (text_of(line, "timestamp_type") == "LogAppendTime") {
    rules.timestamp_type = TimestampType::log_append_time;
  }
  return rules;
}

/// Length and crc depend on the compressor, everything else must be the same.
void check_repacked(const std::string& where, const json::object& line, ByteView batch,
                    RecordScratch& scratch, Report& report) {
  const auto header = check_batch(batch);
  if (!header) return report.mismatch(where, header.error().message);
  json::object expected = line.at("after_fields").as_object();
  json::object actual = header_values(*header);
  for (const char* name : {"length", "crc"}) {
    expected.erase(name);
    actual.erase(name);
  }
  if (const auto wrong = first_difference(expected, actual, "/after_fields")) {
    report.mismatch(where, *wrong);
  }
  const auto records = record_values(batch, scratch);
  if (!records) return report.mismatch(where, records.error().message);
  if (const auto wrong = first_difference(line.at("records"), *records, "/records")) {
    report.mismatch(where, *wrong);
  }
}

void check_validated_line(const std::string& where, const json::object& line,
                          RecordScratch& scratch, Report& report) {
  report.vector();
  const auto before = from_hex(text_of(line, "before"));
  const auto after = from_hex(text_of(line, "after"));
  if (!before || !after) return report.mismatch(where, "no hex");
  const ProduceRules rules = rules_of(line);
  const ProduceTarget target{
      .topic = topic, .partition = 0, .produce_version = 13, .now = number_of(line, "now")};
  ProduceOutcome outcome = validate_produce(SharedBytes::copy_of(*before), rules, target, scratch);
  if (const auto* rejected = std::get_if<RejectedBatch>(&outcome)) {
    return report.mismatch(where, "rejected: " + rejected->message);
  }
  AcceptedBatch accepted = std::get<AcceptedBatch>(std::move(outcome));
  if (accepted.max_timestamp != number_of(line, "max_timestamp")) {
    report.mismatch(where, fmt::format("max timestamp {} expected, got {}",
                                       number_of(line, "max_timestamp"), accepted.max_timestamp));
  }
  const bool appends_time = rules.timestamp_type == TimestampType::log_append_time;
  if (accepted.log_append_time != (appends_time ? number_of(line, "log_append_time") : -1)) {
    report.mismatch(where, fmt::format("log append time {}", accepted.log_append_time));
  }
  const SharedBytes bytes = appended(std::move(accepted), number_of(line, "first_offset"),
                                     static_cast<LeaderEpoch>(number_of(line, "leader_epoch")));
  if (line.at("byte_exact").as_bool()) {
    const std::string difference = byte_difference(*after, bytes.view());
    if (!difference.empty()) report.mismatch(where, difference);
  } else {
    check_repacked(where, line, bytes.view(), scratch, report);
  }
}

}  // namespace

void check_produce(Disk& disk, const std::string& folder, Report& report) {
  RecordScratch scratch;
  for_each_line(disk, folder + "/broken.jsonl", report,
                [&](const std::string& where, const json::object& line) {
                  check_broken_line(where + " " + text_of(line, "id"), line, scratch, report);
                });
  for_each_line(disk, folder + "/validated.jsonl", report,
                [&](const std::string& where, const json::object& line) {
                  check_validated_line(where, line, scratch, report);
                });
}

}  // namespace chronik::protocol::wire_check
