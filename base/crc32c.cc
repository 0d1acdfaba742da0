#include "base/crc32c.h"

#include <isa-l/crc.h>

namespace chronik {

std::uint32_t crc32c(ByteView bytes) { return crc32c_extend(0, bytes); }

std::uint32_t crc32c_extend(std::uint32_t crc, ByteView bytes) {
  // ISA-L takes an int length and leaves both inversions to the caller.
  constexpr std::size_t step = std::size_t{1} << 30;
  crc = ~crc;
  while (!bytes.empty()) {
    const std::size_t length = bytes.size() < step ? bytes.size() : step;
    crc = crc32_iscsi(const_cast<unsigned char*>(bytes.data()), static_cast<int>(length), crc);
    bytes = bytes.subspan(length);
  }
  return ~crc;
}

}  // namespace chronik
