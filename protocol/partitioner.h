// Two hashes whose values clients rely on: murmur2 chooses the partition of a keyed record,
// java.lang.String.hashCode the coordinator partition of a group or transactional id. Pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"

namespace chronik::protocol {

/// Kafka's murmur2 (32 bits, its seed).
std::int32_t murmur2(ByteView bytes);

/// The partition Kafka's default partitioner gives a record with this key. Precondition:
/// partitions > 0.
std::int32_t partition_of_key(ByteView key, std::int32_t partitions);

/// java.lang.String.hashCode of the text (over UTF-16 units).
std::int32_t java_hash(std::string_view utf8);

/// The partition of __consumer_offsets or __transaction_state an id belongs to. Precondition:
/// partitions > 0. The absolute value of -2147483648 counts as 0, as in Kafka.
std::int32_t partition_of_id(std::string_view id, std::int32_t partitions);

}  // namespace chronik::protocol
