#include "protocol/produce_validation.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/coding.h"
#include "protocol/compression.h"
#include "protocol/record_builder.h"
#include "protocol/record_checks.h"
#include "protocol/record_reader.h"

namespace chronik::protocol {
namespace {

constexpr std::int32_t record_length_min = 14;  // of magic 0, the shortest there is
constexpr std::size_t size_up_to_magic = 17;
constexpr std::size_t magic_position = 16;
constexpr std::int8_t magic_max = 2;
constexpr std::size_t attributes_position = 21;
constexpr std::uint8_t codec_mask = 0x07;
/// What is left of the attributes when the leader writes them: codec, timestamp type,
/// transactional, control, delete horizon.
constexpr int attributes_known = 0x7f;
constexpr int log_append_time_bit = 0x08;
constexpr std::int16_t first_version_with_zstd = 7;

RejectedBatch reject(ErrorCode code, std::string message) {
  return {.code = code, .message = std::move(message), .record_errors = {}};
}

std::string partition_name(const ProduceTarget& target) {
  return fmt::format("{}-{}", target.topic, target.partition);
}

using Rejection = std::optional<RejectedBatch>;

/// What stands at the beginning of some bytes: the size of a whole batch of any magic, 0 when there
/// is no whole one, or why there cannot be one.
struct Framing {
  std::size_t size = 0;
  Rejection rejection;
};

Framing frame_at(ByteView bytes) {
  if (bytes.size() < batch_length_overhead) return {};
  const auto length = load_be<std::int32_t>(bytes.data() + 8);
  if (length < record_length_min) {
    return {.rejection = reject(ErrorCode::corrupt_message,
                                fmt::format("The length field of a record batch is {}, which is "
                                            "less than any batch has ({})",
                                            length, record_length_min))};
  }
  if (bytes.size() < size_up_to_magic) return {};
  const auto magic = static_cast<std::int8_t>(bytes[magic_position]);
  if (magic < 0 || magic > magic_max) {
    return {.rejection = reject(ErrorCode::corrupt_message,
                                fmt::format("Invalid magic in a record batch: {}", magic))};
  }
  const std::size_t size = static_cast<std::size_t>(length) + batch_length_overhead;
  return {.size = size <= bytes.size() ? size : 0, .rejection = {}};
}

/// Exactly one whole batch of magic 2, and no zstd from those too old to know it. Gives its size.
Framing check_framing(ByteView records, std::int16_t version) {
  Framing first = frame_at(records);
  if (first.rejection) return first;
  const auto refuse = [&](ErrorCode code, std::string_view what) {
    return Framing{.rejection = reject(
                       code, fmt::format("Produce requests with version {} {}", version, what))};
  };
  if (first.size == 0) {
    return refuse(ErrorCode::invalid_record,
                  "must have at least one record batch per partition; this one has none, or ends "
                  "before its length says");
  }
  if (records[magic_position] != magic_max) {
    return refuse(ErrorCode::invalid_record,
                  "are only allowed to contain record batches with magic version 2");
  }
  if (version < first_version_with_zstd &&
      (records[attributes_position + 1] & codec_mask) == static_cast<std::uint8_t>(Codec::zstd)) {
    return refuse(ErrorCode::unsupported_compression_type,
                  "are not allowed to use ZStandard compression");
  }
  Framing second = frame_at(records.subspan(first.size));
  if (second.rejection) return second;
  if (second.size != 0) {
    return refuse(ErrorCode::invalid_record,
                  "are only allowed to contain exactly one record batch per partition");
  }
  return first;
}

RejectedBatch too_large(std::size_t size, std::string_view how, const ProduceRules& rules,
                        const ProduceTarget& target) {
  return reject(
      ErrorCode::message_too_large,
      fmt::format("The record batch in the append to {} is {} bytes{}, over "
                  "max.message.bytes={} of the topic: lower the producer's batch size, or "
                  "raise the setting (kafka-configs --alter --topic {} --add-config "
                  "max.message.bytes={})",
                  partition_name(target), size, how, rules.max_message_bytes, target.topic, size));
}

/// Size, CRC, codec.
Rejection check_whole(ByteView batch, const ProduceRules& rules, const ProduceTarget& target) {
  const auto base_offset = load_be<Offset>(batch.data());
  if (base_offset != 0) [[unlikely]] {
    return reject(
        ErrorCode::invalid_record,
        fmt::format("The base offset of the record batch in the append to {} should be 0, "
                    "but it is {}",
                    partition_name(target), base_offset));
  }
  if (batch.size() > static_cast<std::size_t>(rules.max_message_bytes)) [[unlikely]] {
    return too_large(batch.size(), "", rules, target);
  }
  if (batch.size() < batch_header_size) [[unlikely]] {
    return reject(ErrorCode::corrupt_message,
                  fmt::format("The record batch in the append to {} is {} bytes, less than its "
                              "header takes ({})",
                              partition_name(target), batch.size(), batch_header_size));
  }
  const auto stored = load_be<std::uint32_t>(batch.data() + batch_crc_position);
  const std::uint32_t computed = compute_batch_crc(batch);
  if (stored != computed) [[unlikely]] {
    return reject(ErrorCode::corrupt_message,
                  fmt::format("The record batch in the append to {} is corrupt: its crc is {}, its "
                              "bytes give {}",
                              partition_name(target), stored, computed));
  }
  const std::uint8_t codec = batch[attributes_position + 1] & codec_mask;
  if (!codec_from_bits(codec)) [[unlikely]] {
    return reject(
        ErrorCode::unsupported_compression_type,
        fmt::format("Unknown compression type {} in the append to {}: none (0), gzip (1), "
                    "snappy (2), lz4 (3) and zstd (4) are known",
                    codec, partition_name(target)));
  }
  return std::nullopt;
}

/// What the header says of itself.
Rejection check_header(const BatchHeader& header, const ProduceTarget& target) {
  const std::int64_t span = std::int64_t{header.last_offset_delta} + 1;
  if (span == header.record_count && span > 0 && !header.is_control() &&
      !(header.has_producer_id() && header.base_sequence < 0)) [[likely]] {
    return std::nullopt;
  }
  const std::string where = " in topic partition " + partition_name(target);
  const auto invalid = [&](const std::string& what) {
    return reject(ErrorCode::invalid_record, what + where);
  };
  if (span <= 0) {
    return invalid(
        fmt::format("Batch has an invalid offset range: [0, {}]", header.last_offset_delta));
  }
  if (header.record_count <= 0) {
    return invalid(fmt::format("Invalid reported count for record batch: {}", header.record_count));
  }
  if (span != header.record_count) {
    return invalid(fmt::format("Inconsistent batch offset range [0, {}] and count of records {}",
                               header.last_offset_delta, header.record_count));
  }
  if (header.is_control()) return invalid("Clients are not allowed to write control records");
  return invalid(fmt::format("Invalid sequence number {} in record batch with producerId {}",
                             header.base_sequence, header.producer_id));
}

RejectedBatch reject_damage(const Error& problem, const ProduceTarget& target) {
  if (problem.code == Errc::too_large) {
    return reject(ErrorCode::message_too_large,
                  fmt::format("The record batch in the append to {} is refused: {}",
                              partition_name(target), problem.message));
  }
  return reject(ErrorCode::invalid_record,
                fmt::format("The record batch in the append to {} passes its crc and cannot be "
                            "read, so it was written wrongly: {}",
                            partition_name(target), problem.message));
}

class Validation {
 public:
  Validation(SharedBytes bytes, const ProduceRules& rules, const ProduceTarget& target,
             RecordScratch& scratch)
      : rules_(rules),
        target_(target),
        scratch_(scratch),
        bytes_(std::move(bytes)),
        header_(read_batch_header(bytes_.view())),
        checks_(header_, rules, target) {}

  ProduceOutcome run() {
    if (Rejection rejection = check_header(header_, target_)) return std::move(*rejection);
    const Codec codec = static_cast<Codec>(header_.codec_bits());
    const bool in_place = !rules_.compression || *rules_.compression == codec;
    if (Rejection rejection = in_place ? scan(codec) : rebuild()) return std::move(*rejection);
    if (bytes_.size() > static_cast<std::uint64_t>(rules_.segment_bytes)) {
      return reject(ErrorCode::record_list_too_large,
                    fmt::format("The record batch in the append to {} is {} bytes, over "
                                "segment.bytes={} of the topic",
                                partition_name(target_), bytes_.size(), rules_.segment_bytes));
    }
    // No producer state, however empty, lets such an epoch pass.
    if (header_.has_producer_id() && header_.producer_epoch < no_producer_epoch) {
      return reject(
          ErrorCode::invalid_producer_epoch,
          fmt::format("Epoch {} of producer {} in the append to {} is negative",
                      header_.producer_epoch, header_.producer_id, partition_name(target_)));
    }
    AcceptedBatch accepted;
    accepted.bytes = std::move(bytes_);
    accepted.header = header_;
    accepted.max_timestamp = header_.max_timestamp;
    accepted.max_timestamp_delta = max_timestamp_delta_;
    if (appends_time()) accepted.log_append_time = target_.now;
    return accepted;
  }

 private:
  bool appends_time() const { return rules_.timestamp_type == TimestampType::log_append_time; }

  /// The batch stays as it is, its header patched if need be.
  Rejection scan(Codec codec) {
    RecordScanner scanner(bytes_.view(), header_, scratch_, rules_.record_limits);
    RecordSkeleton record;
    bool flawed = false;
    bool ordered = true;
    Timestamp max_timestamp = -1;
    std::int32_t max_index = 0;
    for (std::int32_t index = 0; scanner.next(record); ++index) {
      const Timestamp timestamp = checks_.timestamp_of(record);
      flawed |= checks_.is_flawed(record, timestamp);
      ordered &= record.offset_delta == index;
      if (timestamp > max_timestamp) {
        max_timestamp = timestamp;
        max_index = index;
      }
    }
    if (!scanner.ok()) [[unlikely]]
      return reject_damage(scanner.problem(), target_);
    if (flawed) [[unlikely]]
      return explain_flaws(codec);
    if (!ordered && codec != Codec::none) [[unlikely]] {
      return reject(ErrorCode::invalid_record,
                    fmt::format("The offsets inside the {} batch in the append to {} are not 0, 1, "
                                "2 and so on",
                                codec_name(codec), partition_name(target_)));
    }
    max_timestamp_delta_ = appends_time() ? 0 : max_index;
    set_max_timestamp(appends_time() ? target_.now : max_timestamp);
    return std::nullopt;
  }

  /// As DefaultRecordBatch.setMaxTimestamp: nothing when nothing changes; else the attributes are
  /// written anew, without the bits that have no meaning.
  void set_max_timestamp(Timestamp max_timestamp) {
    if (header_.timestamp_type() == rules_.timestamp_type &&
        header_.max_timestamp == max_timestamp) {
      return;
    }
    int attributes = header_.attributes & attributes_known & ~log_append_time_bit;
    if (appends_time()) attributes |= log_append_time_bit;
    header_.attributes = static_cast<std::int16_t>(attributes);
    header_.max_timestamp = max_timestamp;
    write_batch_header(header_, bytes_.mutable_view());
    header_.crc = compute_batch_crc(bytes_.view());
    store_be(bytes_.mutable_view().data() + batch_crc_position, header_.crc);
  }

  Rejection explain_flaws(Codec codec) {
    RecordScanner scanner(bytes_.view(), header_, scratch_, rules_.record_limits);
    RecordSkeleton record;
    FlawList flaws(checks_, target_, codec != Codec::none);
    while (scanner.next(record)) flaws.look_at(record);
    return flaws.to_rejection();
  }

  /// What Kafka's writer of batches refuses, though a batch that is left as it is may have it.
  Rejection check_rebuildable(Timestamp lowest) const {
    std::string_view wrong;
    if (lowest < -1) {
      wrong = "a negative timestamp";
    } else if (header_.producer_id == no_producer_id) {
      if (header_.is_transactional()) wrong = "the transactional bit without a producer id";
    } else if (header_.producer_epoch == no_producer_epoch) {
      wrong = "a producer id without an epoch";
    } else if (header_.base_sequence < 0) {
      wrong = "a producer id without a sequence";
    }
    if (wrong.empty()) return std::nullopt;
    return reject(
        ErrorCode::invalid_record,
        fmt::format("The record batch in the append to {} has {}", partition_name(target_), wrong));
  }

  /// The topic wants another codec: the records are written anew.
  Rejection rebuild() {
    Result<RecordReader> opened = RecordReader::open(bytes_.view(), scratch_, rules_.record_limits);
    if (!opened) return reject_damage(opened.error(), target_);
    RecordReader& reader = *opened;
    BatchBuilder builder(builder_options());
    FlawList flaws(checks_, target_, false);
    std::vector<RecordHeader> headers;
    Timestamp lowest = 0;
    Record record;
    while (reader.next(record)) {
      flaws.look_at(record);
      lowest = std::min(lowest, record.timestamp);
      if (!flaws.empty()) continue;
      record.headers(headers);
      builder.append(record.timestamp, record.key, record.value, headers);
    }
    if (!reader.ok()) return reject_damage(Error{Errc::corrupt, reader.problem()}, target_);
    if (!flaws.empty()) return flaws.to_rejection();
    if (Rejection rejection = check_rebuildable(lowest)) return rejection;
    max_timestamp_delta_ =
        appends_time() ? 0 : std::max(std::int32_t{0}, builder.index_of_max_timestamp());
    bytes_ = builder.build();
    header_ = read_batch_header(bytes_.view());
    if (bytes_.size() > static_cast<std::size_t>(rules_.max_message_bytes)) {
      return too_large(bytes_.size(), " once written with the topic's compression.type", rules_,
                       target_);
    }
    return std::nullopt;
  }

  BatchOptions builder_options() const {
    BatchOptions options;
    options.leader_epoch = header_.leader_epoch;
    options.codec = *rules_.compression;
    options.compression_level = rules_.compression_level;
    if (appends_time()) options.log_append_time = target_.now;
    options.producer_id = header_.producer_id;
    options.producer_epoch = header_.producer_epoch;
    options.base_sequence = header_.base_sequence;
    options.transactional = header_.is_transactional();
    return options;
  }

  const ProduceRules& rules_;
  const ProduceTarget& target_;
  RecordScratch& scratch_;
  SharedBytes bytes_;
  BatchHeader header_;
  RecordChecks checks_;
  std::int32_t max_timestamp_delta_ = 0;
};

}  // namespace

ProduceOutcome validate_produce(SharedBytes records, const ProduceRules& rules,
                                const ProduceTarget& target, RecordScratch& scratch) {
  Framing framing = check_framing(records.view(), target.produce_version);
  if (framing.rejection) [[unlikely]]
    return std::move(*framing.rejection);
  // Bytes behind the batch that make no whole batch are cut off without complaint.
  if (framing.size != records.size()) records = records.slice(0, framing.size);
  if (Rejection rejection = check_whole(records.view(), rules, target)) [[unlikely]] {
    return std::move(*rejection);
  }
  return Validation(std::move(records), rules, target, scratch).run();
}

}  // namespace chronik::protocol
