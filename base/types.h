// The numbers every room speaks of. Aliases, not strong types: the wire structs, the log and the
// tests do arithmetic on them all day, and names carry the meaning (ARCHITECTURE.md, "Choices").
#pragma once

#include <cstdint>

namespace chronik {

using Offset = std::int64_t;       // of a record in a partition
using LeaderEpoch = std::int32_t;  // Kafka's name for the Raft term of a partition
using EntryIndex = std::int64_t;   // Raft index: the n-th entry (batch) of a log, from 1
using BrokerId = std::int32_t;
using PartitionId = std::int32_t;
using ProducerId = std::int64_t;
using ProducerEpoch = std::int16_t;
using Sequence = std::int32_t;
using Timestamp = std::int64_t;  // milliseconds since 1970 as records carry them

inline constexpr ProducerId no_producer_id = -1;
inline constexpr ProducerEpoch no_producer_epoch = -1;
inline constexpr Sequence no_sequence = -1;
inline constexpr LeaderEpoch no_leader_epoch = -1;

}  // namespace chronik
