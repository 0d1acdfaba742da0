// Record batches, magic 2: the unit of produce, of the log and of fetch. Layout (big endian),
// Kafka's "RecordBatch":
//
//   0 base_offset i64 | 8 length i32 (of what follows it) | 12 leader_epoch i32 | 16 magic i8 | 17
//   crc u32 21 attributes i16 | 23 last_offset_delta i32 | 27 base_timestamp i64 | 35 max_timestamp
//   i64 43 producer_id i64 | 51 producer_epoch i16 | 53 base_sequence i32 | 57 record_count i32 |
//   61 records...
//
// The CRC-32C covers everything from the attributes on, so a leader sets base offset and leader
// epoch without touching it.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/types.h"

namespace chronik::protocol {

inline constexpr std::size_t batch_header_size = 61;
/// Bytes before what the length field counts.
inline constexpr std::size_t batch_length_overhead = 12;
/// Where the CRC stands, and where it starts to cover.
inline constexpr std::size_t batch_crc_position = 17;
inline constexpr std::size_t batch_crc_start = 21;

enum class Codec : std::uint8_t { none = 0, gzip = 1, snappy = 2, lz4 = 3, zstd = 4 };
enum class TimestampType : std::uint8_t { create_time = 0, log_append_time = 1 };

/// The fixed part of a batch as it stands in the bytes, nothing checked.
struct BatchHeader {
  Offset base_offset = 0;
  std::int32_t length = 0;
  LeaderEpoch leader_epoch = no_leader_epoch;
  std::int8_t magic = 2;
  std::uint32_t crc = 0;
  std::int16_t attributes = 0;
  std::int32_t last_offset_delta = 0;
  Timestamp base_timestamp = 0;
  Timestamp max_timestamp = 0;
  ProducerId producer_id = no_producer_id;
  ProducerEpoch producer_epoch = no_producer_epoch;
  Sequence base_sequence = no_sequence;
  std::int32_t record_count = 0;

  /// The whole batch, its header included. Meaningful when length >= batch_header_size -
  /// batch_length_overhead.
  std::size_t size() const { return static_cast<std::size_t>(length) + batch_length_overhead; }
  Offset last_offset() const { return base_offset + last_offset_delta; }
  Offset next_offset() const { return last_offset() + 1; }
  /// The codec bits; values above Codec::zstd occur in bad batches.
  std::uint8_t codec_bits() const { return static_cast<std::uint8_t>(attributes & 0x07); }
  TimestampType timestamp_type() const {
    return (attributes & 0x08) != 0 ? TimestampType::log_append_time : TimestampType::create_time;
  }
  bool is_transactional() const { return (attributes & 0x10) != 0; }
  bool is_control() const { return (attributes & 0x20) != 0; }
  bool has_delete_horizon() const { return (attributes & 0x40) != 0; }
  bool has_producer_id() const { return producer_id >= 0; }
  /// Sequences wrap from 2^31-1 to 0.
  Sequence last_sequence() const;

  bool operator==(const BatchHeader&) const = default;
};

/// Precondition: bytes.size() >= batch_header_size.
BatchHeader read_batch_header(ByteView bytes);
/// Writes all fields as they are, the CRC included. Precondition: bytes.size() >=
/// batch_header_size.
void write_batch_header(const BatchHeader& header, MutableByteView bytes);

/// The two fields outside the CRC. Precondition: batch.size() >= batch_header_size.
void set_base_offset(MutableByteView batch, Offset base_offset);
void set_leader_epoch(MutableByteView batch, LeaderEpoch epoch);

/// The CRC-32C that the batch should carry. Precondition: batch.size() >= batch_header_size.
std::uint32_t compute_batch_crc(ByteView batch);

}  // namespace chronik::protocol
