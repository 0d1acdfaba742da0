// Compression of the records of a batch: gzip, snappy (in xerial's stream framing), lz4 (frames of
// independent 64 KiB blocks) and zstd, as Kafka's clients write and read them. The way back is
// protocol/decompressor.h. Pure functions; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "protocol/record_batch.h"

namespace chronik::protocol {

/// Kafka's name in settings and in printed batches: "none", "gzip", "snappy", "lz4", "zstd".
std::string_view codec_name(Codec codec);
/// By the bits of a batch's attributes; nothing for the numbers that no codec has (5 to 7).
std::optional<Codec> codec_from_bits(std::uint8_t bits);

/// Levels are those of the topic settings compression.gzip.level, compression.lz4.level and
/// compression.zstd.level; none and snappy have one level, 0.
struct LevelRange {
  int min = 0;
  int max = 0;
  int standard = 0;  // Kafka's default
};
LevelRange level_range(Codec codec);
/// In the range, or the default. (-1 is gzip's default and lies outside of its 1 to 9.)
bool is_valid_level(Codec codec, int level);

/// Appends the compressed form of `input` to `out`. Codec::none appends it as it is.
/// Precondition: is_valid_level(codec, level).
void compress(Codec codec, int level, ByteView input, Bytes& out);

}  // namespace chronik::protocol
