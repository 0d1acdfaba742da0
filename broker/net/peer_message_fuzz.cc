// The messages of broker/schema, which nodes send each other inside the frames that
// peer_frame_fuzz.cc makes: the first two bytes choose the message, the third the version, the rest
// is the body.
#include "protocol/decode_oracle.h"

namespace chronik::broker::peer {
// Generated, see cmake/messages.cmake.
std::span<const protocol::MessageType* const> message_types();
}  // namespace chronik::broker::peer

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  chronik::protocol::check_any_message({data, size}, chronik::broker::peer::message_types());
  return 0;
}
