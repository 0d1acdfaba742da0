#include "broker/net/peer_frame.h"

#include <limits>

#include "base/check.h"
#include "base/coding.h"
#include "base/crc32c.h"

namespace chronik::broker {

std::array<std::uint8_t, peer_head_bytes> peer_frame_head(PeerFrameKind kind, ByteView payload) {
  return peer_frame_head(kind, ByteChain(SharedBytes::copy_of(payload)));
}

std::array<std::uint8_t, peer_head_bytes> peer_frame_head(PeerFrameKind kind,
                                                          const ByteChain& payload) {
  constexpr std::size_t payload_max = std::numeric_limits<std::int32_t>::max();
  CHECK(payload.size() <= payload_max - peer_frame_overhead);
  std::array<std::uint8_t, peer_head_bytes> head{};
  store_be(head.data(), static_cast<std::int32_t>(payload.size() + peer_frame_overhead));
  head[8] = static_cast<std::uint8_t>(kind);
  std::uint32_t crc = crc32c(ByteView(head).subspan(8));
  for (const ByteChain::Part& part : payload.parts()) {
    crc = crc32c_extend(crc, std::get<SharedBytes>(part).view());
  }
  store_be(head.data() + 4, crc);
  return head;
}

std::optional<PeerFrame> decode_peer_frame(const SharedBytes& frame) {
  if (frame.size() < peer_frame_overhead) return std::nullopt;
  const ByteView checked = frame.view().subspan(4);
  if (load_be<std::uint32_t>(frame.data()) != crc32c(checked)) return std::nullopt;
  return PeerFrame{static_cast<PeerFrameKind>(checked[0]),
                   frame.slice(peer_frame_overhead, frame.size() - peer_frame_overhead)};
}

}  // namespace chronik::broker
