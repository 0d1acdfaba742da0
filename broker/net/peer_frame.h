// The frames of the cluster port: what nodes send each other. Pure.
//
//   int32   length of all that follows
//   uint32  CRC-32C of all that follows it
//   uint8   kind
//   ...     payload
//
// Integers are big endian. The frames hello and refusal keep their form for ever, so that nodes of
// all versions can tell each other why they do not fit together.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"

namespace chronik::broker {

enum class PeerFrameKind : std::uint8_t {
  hello = 1,    // who the sender is (peer_handshake.h); once more when that changed
  refusal = 2,  // why the sender ends the connection
  ping = 3,     // the sender lives; no payload
  message = 4,  // from the node that dialed: payload of raft::Transport::send
};

inline constexpr std::size_t peer_head_bytes = 9;
/// What the length counts besides the payload.
inline constexpr std::size_t peer_frame_overhead = 5;
/// Longest payload of a node that has not shown yet who it is.
inline constexpr std::int32_t peer_stranger_bytes_max = 64 << 10;

/// What goes before the payload.
std::array<std::uint8_t, peer_head_bytes> peer_frame_head(PeerFrameKind kind, ByteView payload);
/// The same of a payload in pieces; memory only.
std::array<std::uint8_t, peer_head_bytes> peer_frame_head(PeerFrameKind kind,
                                                          const ByteChain& payload);

struct PeerFrame {
  PeerFrameKind kind = PeerFrameKind::ping;  // may be none of the above
  SharedBytes payload;                       // a slice of the frame
};

/// Of a frame without its length. Nothing when it is too short or does not match its checksum.
std::optional<PeerFrame> decode_peer_frame(const SharedBytes& frame);

}  // namespace chronik::broker
