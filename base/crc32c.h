// CRC-32C (Castagnoli), the checksum of Kafka's record batches. Computed by Intel's ISA-L with the
// widest instructions the machine has.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace chronik {

std::uint32_t crc32c(ByteView bytes);
/// The checksum of what `crc` covers followed by `bytes`.
std::uint32_t crc32c_extend(std::uint32_t crc, ByteView bytes);

}  // namespace chronik
