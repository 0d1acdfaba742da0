// What a client sends behind the length of a frame: a request header of any api and version, then
// the body it announces.
#include "protocol/decode_oracle.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  chronik::protocol::check_any_frame({data, size});
  return 0;
}
