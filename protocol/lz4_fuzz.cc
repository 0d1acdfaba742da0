#include "protocol/testing/fuzz_decompressor.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
<<<<<<< HEAD
  return chronik::protocol::testing::fuzz_decompressor(chronik::protocol::Codec::lz4, {data, size});
=======
  using namespace chronik::protocol;
  return testing::fuzz_decompressor(Codec::lz4, {data, size});
>>>>>>> 4406e77 (protocol: fuzz targets for record batches and the four decompressors)
}
