// What must hold of the decoder for any bytes whatever: the oracle of the fuzz targets and of the
// tests that replay their corpus. A broken rule is a CHECK, so the process ends.
#pragma once

#include <cstdint>
#include <span>

#include "base/bytes.h"
#include "protocol/catalog.h"

namespace chronik::protocol {

/// Decodes `bytes` as that message. If they are one (perhaps with bytes left over): what was
/// decoded can be encoded without loss, encoding it gives a message that decodes to the same values
/// and the same bytes, and it prints. False if they are none.
bool check_any_body(const MessageType& type, std::int16_t version, ByteView bytes);

/// The same where the bytes choose for themselves: the first two the message of `types`, the third
/// its version, the rest is the body.
bool check_any_message(ByteView bytes, std::span<const MessageType* const> types);
/// Of all messages of protocol/schema.
bool check_any_message(ByteView bytes);

/// The same for what a client sends behind the length of a frame: a request header, then the body
/// that it announces. False if that is no request of this build.
bool check_any_frame(ByteView bytes);

/// Every byte of what the message would be on the wire, records joined.
Bytes encoded(const AnyMessage& message, std::int16_t version);

}  // namespace chronik::protocol
