// Every decoder of the schema, requests, responses and records, in every version: the first two
// bytes choose the message, the third the version, the rest is the body.
#include "protocol/decode_oracle.h"

using chronik::protocol::check_any_body;
using chronik::protocol::message_types;
using chronik::protocol::MessageType;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  const auto types = message_types();
  const std::size_t chosen = (data[0] | static_cast<std::size_t>(data[1]) << 8) % types.size();
  const MessageType& type = *types[chosen];
  const int versions = type.max_version - type.min_version + 1;
  const auto version = static_cast<std::int16_t>(type.min_version + data[2] % versions);
  check_any_body(type, version, {data + 3, size - 3});
  return 0;
}
