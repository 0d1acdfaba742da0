#include "protocol/record_builder.h"

#include <algorithm>
#include <array>
#include <limits>

#include "base/check.h"
#include "base/coding.h"
#include "protocol/codec.h"
#include "protocol/records/leader_change_message.h"

namespace chronik::protocol {
namespace {

constexpr std::int16_t transactional_bit = 0x10;
constexpr std::int16_t control_bit = 0x20;
constexpr std::int16_t delete_horizon_bit = 0x40;
constexpr std::int16_t log_append_time_bit = 0x08;

constexpr std::int16_t control_key_version = 0;
constexpr std::size_t control_key_size = 4;
constexpr std::int16_t marker_version = 0;
constexpr std::size_t marker_size = 6;

std::size_t varint_size(std::uint64_t raw) {
  std::size_t size = 1;
  for (; raw >= 0x80; raw >>= 7) ++size;
  return size;
}
std::size_t varint_size(std::int32_t value) { return varint_size(std::uint64_t{zigzag(value)}); }

std::int32_t length_of(ByteView view) {
  CHECK(view.size() <= std::size_t{std::numeric_limits<std::int32_t>::max()});
  return static_cast<std::int32_t>(view.size());
}
std::int32_t length_of(const std::optional<ByteView>& view) { return view ? length_of(*view) : -1; }

std::size_t size_of(const std::optional<ByteView>& view) {
  return varint_size(length_of(view)) + (view ? view->size() : 0);
}

std::uint8_t* put_varint(std::uint8_t* to, std::uint64_t raw) {
  for (; raw >= 0x80; raw >>= 7) *to++ = static_cast<std::uint8_t>(raw | 0x80);
  *to++ = static_cast<std::uint8_t>(raw);
  return to;
}
std::uint8_t* put_varint(std::uint8_t* to, std::int32_t value) {
  return put_varint(to, std::uint64_t{zigzag(value)});
}
std::uint8_t* put_bytes(std::uint8_t* to, const std::optional<ByteView>& view) {
  to = put_varint(to, length_of(view));
  return view ? std::copy(view->begin(), view->end(), to) : to;
}

std::int16_t attributes_of(const BatchOptions& options) {
  int attributes = static_cast<int>(options.codec);
  if (options.log_append_time) attributes |= log_append_time_bit;
  if (options.transactional) attributes |= transactional_bit;
  if (options.control) attributes |= control_bit;
  if (options.delete_horizon) attributes |= delete_horizon_bit;
  return static_cast<std::int16_t>(attributes);
}

}  // namespace

BatchBuilder::BatchBuilder(const BatchOptions& options)
    : options_(options), bytes_(batch_header_size) {
  CHECK(options.codec == Codec::none || is_valid_level(options.codec, options.compression_level));
  header_.base_offset = options.base_offset;
  header_.leader_epoch = options.leader_epoch;
  header_.attributes = attributes_of(options);
  header_.last_offset_delta = -1;
  header_.base_timestamp = options.delete_horizon.value_or(-1);
  header_.producer_id = options.producer_id;
  header_.producer_epoch = options.producer_epoch;
  header_.base_sequence = options.base_sequence;
}

void BatchBuilder::append(Timestamp timestamp, std::optional<ByteView> key,
                          std::optional<ByteView> value, std::span<const RecordHeader> headers) {
  append_at(header_.last_offset_delta + 1, timestamp, key, value, headers);
}

void BatchBuilder::append_at(std::int32_t offset_delta, Timestamp timestamp,
                             std::optional<ByteView> key, std::optional<ByteView> value,
                             std::span<const RecordHeader> headers) {
  CHECK(offset_delta > header_.last_offset_delta);
  if (header_.record_count == 0 && !options_.delete_horizon) header_.base_timestamp = timestamp;
  const std::uint64_t timestamp_delta = zigzag(static_cast<std::int64_t>(
      static_cast<std::uint64_t>(timestamp) - static_cast<std::uint64_t>(header_.base_timestamp)));
  const auto header_count = static_cast<std::int32_t>(headers.size());
  std::size_t size = 1 + varint_size(timestamp_delta) + varint_size(offset_delta) + size_of(key) +
                     size_of(value) + varint_size(header_count);
  for (const RecordHeader& header : headers) {
    size += size_of(as_bytes(header.key)) + size_of(header.value);
  }
  CHECK(size <= std::size_t{std::numeric_limits<std::int32_t>::max()});
  const auto length = static_cast<std::int32_t>(size);

  const std::size_t begin = bytes_.size();
  bytes_.resize(begin + varint_size(length) + size);
  std::uint8_t* to = put_varint(bytes_.data() + begin, length);
  *to++ = 0;
  to = put_varint(to, timestamp_delta);
  to = put_varint(to, offset_delta);
  to = put_bytes(to, key);
  to = put_bytes(to, value);
  to = put_varint(to, header_count);
  for (const RecordHeader& header : headers) {
    to = put_bytes(to, as_bytes(header.key));
    to = put_bytes(to, header.value);
  }
  CHECK(to == bytes_.data() + bytes_.size());

  if (timestamp > max_timestamp_) {
    max_timestamp_ = timestamp;
    index_of_max_timestamp_ = header_.record_count;
  }
  header_.last_offset_delta = offset_delta;
  ++header_.record_count;
}

void BatchBuilder::cover(std::int32_t last_offset_delta) {
  CHECK(last_offset_delta >= header_.last_offset_delta);
  header_.last_offset_delta = last_offset_delta;
}

void BatchBuilder::leave_empty(std::int32_t last_offset_delta, Timestamp max_timestamp) {
  CHECK(header_.record_count == 0);
  cover(last_offset_delta);
  max_timestamp_ = max_timestamp;
}

SharedBytes BatchBuilder::build() {
  CHECK(header_.last_offset_delta >= 0);
  if (header_.record_count > 0 && options_.codec != Codec::none) {
    Bytes compressed(batch_header_size);
    compress(options_.codec, options_.compression_level,
             ByteView(bytes_).subspan(batch_header_size), compressed);
    bytes_ = std::move(compressed);
  }
  CHECK(bytes_.size() <= std::size_t{std::numeric_limits<std::int32_t>::max()});
  header_.length = static_cast<std::int32_t>(bytes_.size() - batch_length_overhead);
  header_.max_timestamp = options_.log_append_time.value_or(max_timestamp_);
  header_.crc = 0;
  write_batch_header(header_, bytes_);
  store_be(bytes_.data() + batch_crc_position, compute_batch_crc(bytes_));
  return SharedBytes::adopt(std::move(bytes_));
}

std::optional<ControlType> control_type(const Record& record) {
  if (!record.key || record.key->size() < control_key_size ||
      load_be<std::int16_t>(record.key->data()) < control_key_version) {
    return std::nullopt;
  }
  return static_cast<ControlType>(load_be<std::int16_t>(record.key->data() + 2));
}

SharedBytes build_control_batch(BatchOptions options, ControlType type, Timestamp timestamp,
                                ByteView value) {
  options.control = true;
  options.codec = Codec::none;
  std::array<std::uint8_t, control_key_size> key{};
  store_be(key.data(), control_key_version);
  store_be(key.data() + 2, static_cast<std::int16_t>(type));
  BatchBuilder builder(options);
  builder.append(timestamp, ByteView(key), value);
  return builder.build();
}

SharedBytes build_transaction_marker(const TransactionMarker& marker, Timestamp timestamp,
                                     LeaderEpoch leader_epoch) {
  std::array<std::uint8_t, marker_size> value{};
  store_be(value.data(), marker_version);
  store_be(value.data() + 2, marker.coordinator_epoch);
  return build_control_batch({.leader_epoch = leader_epoch,
                              .producer_id = marker.producer_id,
                              .producer_epoch = marker.producer_epoch,
                              .transactional = true},
                             marker.commit ? ControlType::commit : ControlType::abort, timestamp,
                             value);
}

std::optional<std::int32_t> coordinator_epoch_of(const Record& marker) {
  if (!marker.value || marker.value->size() < marker_size) return std::nullopt;
  if (load_be<std::int16_t>(marker.value->data()) < marker_version) return std::nullopt;
  return load_be<std::int32_t>(marker.value->data() + 2);
}

SharedBytes build_leader_change(const LeaderChangeMessage& message, Offset base_offset,
                                Timestamp timestamp, LeaderEpoch leader_epoch) {
  return build_control_batch({.base_offset = base_offset, .leader_epoch = leader_epoch},
                             ControlType::leader_change, timestamp,
                             encode_to_bytes(message.version, message));
}

}  // namespace chronik::protocol
