// Every decoder of the schema, requests, responses and records, in every version: the first two
// bytes choose the message, the third the version, the rest is the body.
#include "protocol/decode_oracle.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  chronik::protocol::check_any_message({data, size});
  return 0;
}
