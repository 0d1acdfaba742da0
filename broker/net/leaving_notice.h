// What a node that stops tells the others before it hands its leaderships over: from here on it is
// no node to lead anything, nor to send clients to. A frame of the cluster port; its first byte
// tells it from the others. Pure.
//
//   u8 0xc3 | version u8 1
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/bytes.h"

namespace chronik::broker {

inline constexpr std::array<std::uint8_t, 2> leaving_notice{0xc3, 1};

inline bool is_leaving_notice(ByteView frame) { return std::ranges::equal(frame, leaving_notice); }

}  // namespace chronik::broker
