// The bytes of one record inside a magic 2 batch, and the loop that steps over it without touching
// what it carries:
//
//   length varint (of what follows) | attributes i8 | timestamp_delta varlong | offset_delta varint
//   | key_length varint, key | value_length varint, value | header_count varint, headers {
//   key_length varint, key, value_length varint, value }
//
// Varints are zigzag. A negative length of a key or value is a null; a header's key cannot be null.
// As Kafka reads them, varints need not be minimal and bits beyond the type's width are dropped.
// All functions take [at, end) and return where they stopped, or null when it is damaged or cut.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/coding.h"

namespace chronik::protocol {

/// What validation and lookups need of a record.
struct RecordSkeleton {
  std::int64_t timestamp_delta = 0;
  std::int32_t offset_delta = 0;
  std::int32_t key_length = 0;    // negative: null
  std::int32_t value_length = 0;  // negative: null

  bool has_key() const { return key_length >= 0; }
};

namespace record_format {

inline const std::uint8_t* skip_long_varint(const std::uint8_t* at, const std::uint8_t* end,
                                            std::uint32_t& raw) {
  std::uint32_t value = 0;
  for (int shift = 0; shift <= 28; shift += 7) {
    if (at == end) return nullptr;
    const std::uint8_t byte = *at++;
    value |= static_cast<std::uint32_t>(byte & 0x7f) << shift;
    if (byte < 0x80) {
      raw = value;
      return at;
    }
  }
  return nullptr;
}

inline const std::uint8_t* read_varint(const std::uint8_t* at, const std::uint8_t* end,
                                       std::int32_t& value) {
  std::uint32_t raw = 0;
  if (end - at >= 2) [[likely]] {
    if (at[0] < 0x80) [[likely]] {
      value = unzigzag(std::uint32_t{at[0]});
      return at + 1;
    }
    if (at[1] < 0x80) {
      raw = static_cast<std::uint32_t>(at[0] & 0x7f) | static_cast<std::uint32_t>(at[1]) << 7;
      value = unzigzag(raw);
      return at + 2;
    }
  }
  at = skip_long_varint(at, end, raw);
  value = unzigzag(raw);
  return at;
}

inline const std::uint8_t* read_varlong(const std::uint8_t* at, const std::uint8_t* end,
                                        std::int64_t& value) {
  std::uint64_t raw = 0;
  for (int shift = 0; shift <= 63; shift += 7) {
    if (at == end) [[unlikely]]
      return nullptr;
    const std::uint8_t byte = *at++;
    raw |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) {
      value = unzigzag(raw);
      return at;
    }
  }
  return nullptr;
}

/// Steps over `length` bytes; none where it is negative.
inline const std::uint8_t* skip_bytes(const std::uint8_t* at, const std::uint8_t* end,
                                      std::int32_t length) {
  if (length <= 0) return at;
  return length <= end - at ? at + length : nullptr;
}

inline const std::uint8_t* skip_headers(const std::uint8_t* at, const std::uint8_t* end,
                                        std::int32_t count) {
  for (; count > 0; --count) {
    std::int32_t length = 0;
    at = read_varint(at, end, length);
    if (at == nullptr || length < 0) return nullptr;
    at = skip_bytes(at, end, length);
    if (at == nullptr) return nullptr;
    at = read_varint(at, end, length);
    if (at == nullptr) return nullptr;
    at = skip_bytes(at, end, length);
    if (at == nullptr) return nullptr;
  }
  return at;
}

/// All that follows a record's length. It may stop before `end`.
inline const std::uint8_t* skip_body(const std::uint8_t* at, const std::uint8_t* end,
                                     RecordSkeleton& record) {
  if (at == end) [[unlikely]]
    return nullptr;
  at = read_varlong(at + 1, end, record.timestamp_delta);
  if (at == nullptr) [[unlikely]]
    return nullptr;
  at = read_varint(at, end, record.offset_delta);
  if (at == nullptr) [[unlikely]]
    return nullptr;
  at = read_varint(at, end, record.key_length);
  if (at == nullptr) [[unlikely]]
    return nullptr;
  at = skip_bytes(at, end, record.key_length);
  if (at == nullptr) [[unlikely]]
    return nullptr;
  at = read_varint(at, end, record.value_length);
  if (at == nullptr) [[unlikely]]
    return nullptr;
  at = skip_bytes(at, end, record.value_length);
  if (at == nullptr) [[unlikely]]
    return nullptr;
  std::int32_t header_count = 0;
  at = read_varint(at, end, header_count);
  if (at == nullptr || header_count < 0) [[unlikely]]
    return nullptr;
  return header_count == 0 ? at : skip_headers(at, end, header_count);
}

/// A whole record whose parts must fill its length exactly.
inline const std::uint8_t* skip_record(const std::uint8_t* at, const std::uint8_t* end,
                                       RecordSkeleton& record) {
  std::int32_t length = 0;
  at = read_varint(at, end, length);
  if (at == nullptr || length < 0 || length > end - at) [[unlikely]]
    return nullptr;
  const std::uint8_t* record_end = at + length;
  return skip_body(at, record_end, record) == record_end ? record_end : nullptr;
}

}  // namespace record_format
}  // namespace chronik::protocol
