#include "protocol/partitioner.h"

#include <cstring>
#include <limits>

#include "base/check.h"

namespace chronik::protocol {

std::int32_t murmur2(ByteView bytes) {
  constexpr std::uint32_t seed = 0x9747b28c;
  constexpr std::uint32_t multiplier = 0x5bd1e995;
  constexpr int rotation = 24;
  const auto size = static_cast<std::uint32_t>(bytes.size());
  std::uint32_t hash = seed ^ size;
  std::size_t at = 0;
  for (; at + 4 <= bytes.size(); at += 4) {
    std::uint32_t word;  // little endian, as the machine is (base/coding.h)
    std::memcpy(&word, bytes.data() + at, 4);
    word *= multiplier;
    word ^= word >> rotation;
    word *= multiplier;
    hash = hash * multiplier ^ word;
  }
  if (at < bytes.size()) {
    for (std::size_t i = bytes.size(); i-- > at;) {
      hash ^= static_cast<std::uint32_t>(bytes[i]) << (8 * (i - at));
    }
    hash *= multiplier;
  }
  hash ^= hash >> 13;
  hash *= multiplier;
  hash ^= hash >> 15;
  return static_cast<std::int32_t>(hash);
}

std::int32_t partition_of_key(ByteView key, std::int32_t partitions) {
  CHECK(partitions > 0);
  return (murmur2(key) & std::numeric_limits<std::int32_t>::max()) % partitions;
}

std::int32_t java_hash(std::string_view utf8) {
  std::uint32_t hash = 0;
  const auto add = [&hash](std::uint32_t unit) { hash = hash * 31 + unit; };
  for (std::size_t i = 0; i < utf8.size();) {
    const auto first = static_cast<std::uint8_t>(utf8[i]);
    const std::size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    std::uint32_t point = length == 1 ? first : first & (0x7fu >> length);
    for (std::size_t k = 1; k < length && i + k < utf8.size(); ++k) {
      point = point << 6 | (static_cast<std::uint8_t>(utf8[i + k]) & 0x3fu);
    }
    i += length;
    if (point < 0x10000) {
      add(point);
    } else {
      add(0xd800 + ((point - 0x10000) >> 10));
      add(0xdc00 + ((point - 0x10000) & 0x3ff));
    }
  }
  return static_cast<std::int32_t>(hash);
}

std::int32_t partition_of_id(std::string_view id, std::int32_t partitions) {
  CHECK(partitions > 0);
  const std::int32_t hash = java_hash(id);
  if (hash == std::numeric_limits<std::int32_t>::min()) return 0;
  return (hash < 0 ? -hash : hash) % partitions;
}

}  // namespace chronik::protocol
