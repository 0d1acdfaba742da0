// The stream framing that the Java snappy library ("xerial") puts around snappy blocks, and that
// Kafka's snappy codec therefore is: 16 bytes of header, then blocks, each an i32 (big endian)
// length and so many bytes of bare snappy. Streams may follow each other end to end.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace chronik::protocol {

/// "\x82SNAPPY\0", version 1, readable from version 1 on.
inline constexpr std::array<std::uint8_t, 16> xerial_header{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0,
                                                            0,    0,   0,   1,   0,   0,   0,   1};
inline constexpr std::size_t xerial_magic_size = 8;
/// Bytes of input in each block we write, as the Java library does.
inline constexpr std::size_t xerial_block_size = std::size_t{32} * 1024;

}  // namespace chronik::protocol
