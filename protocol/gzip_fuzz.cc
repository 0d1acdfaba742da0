#include "protocol/testing/fuzz_decompressor.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return chronik::protocol::testing::fuzz_decompressor(chronik::protocol::Codec::gzip,
                                                       {data, size});
}
