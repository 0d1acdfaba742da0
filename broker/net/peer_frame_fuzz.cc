// What a stranger may send to the cluster port. Whatever is decoded is written back as it came (a
// hello up to what a later version may have put behind it), and a frame has the payload that its
// checksum covers. The first byte says what the rest is taken for.

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "base/coding.h"
#include "base/crc32c.h"
#include "broker/net/leader_news.h"
#include "broker/net/node_request.h"
#include "broker/net/peer_frame.h"
#include "broker/net/peer_handshake.h"

namespace chronik::broker {
namespace {

bool begins_with(ByteView bytes, ByteView begin) {
  return bytes.size() >= begin.size() && std::equal(begin.begin(), begin.end(), bytes.begin());
}

void check_hello(ByteView payload) {
  PeerHello hello;
  const HelloStatus status = decode_hello(payload, hello);
  CHECK(hello.founders.size() <= founders_max);
  if (status == HelloStatus::not_a_node) return;
  CHECK(hello.version_min <= hello.version_max);
  PeerHello own;
  own.node = 1;
  own.incarnation = Uuid::from_random(1, 1);
  const auto objection = object_to(own, status, hello, std::nullopt);
  CHECK(!objection || !objection->text.empty());
  if (status == HelloStatus::other_version) {
    CHECK(objection && objection->refusal == PeerRefusal::version);
    return;
  }
  PeerHello again;
  const Bytes encoded = encode_hello(hello);
  CHECK(decode_hello(encoded, again) == HelloStatus::ok && again == hello);
  CHECK(encoded.size() <= payload.size());
}

void check_refusal(ByteView payload) {
  const auto objection = decode_refusal(payload);
  if (!objection) return;
  CHECK(objection->text.size() <= payload.size());
  const Bytes encoded = encode_refusal(*objection);
  const auto again = decode_refusal(encoded);
  CHECK(again && again->text == objection->text && again->refusal == objection->refusal);
  CHECK(to_string(objection->refusal) != nullptr);
}

void check_node_frame(const SharedBytes& payload) {
  const auto decoded = decode_node_frame(payload);
  if (!decoded) return;
  CHECK(is_node_frame(payload.view()));
  const ByteChain again = std::visit([](const auto& frame) { return encode(frame); }, *decoded);
  CHECK(again.size() == payload.size());
}

void check_leader_news(ByteView payload) {
  const auto decoded = decode_leader_news(payload);
  if (!decoded) return;
  CHECK(is_leader_news(payload));
  CHECK(encode(*decoded).size() == payload.size());
}

void check_frame(Bytes bytes, bool sound) {
  if (sound && bytes.size() >= peer_frame_overhead) {
    store_be(bytes.data(), crc32c(ByteView(bytes).subspan(4)));
  }
  const auto frame = decode_peer_frame(SharedBytes::copy_of(bytes));
  CHECK(frame || !sound || bytes.size() < peer_frame_overhead);
  if (!frame) return;
  const ByteView payload = frame->payload.view();
  CHECK(payload.size() + peer_frame_overhead == bytes.size());
  const auto head = peer_frame_head(frame->kind, payload);
  CHECK(load_be<std::int32_t>(head.data()) == static_cast<std::int32_t>(bytes.size()));
  CHECK(begins_with(bytes, ByteView(head).subspan(4)));
  if (frame->kind == PeerFrameKind::hello) check_hello(payload);
  if (frame->kind == PeerFrameKind::refusal) check_refusal(payload);
  if (frame->kind == PeerFrameKind::message) check_node_frame(frame->payload);
  if (frame->kind == PeerFrameKind::message) check_leader_news(payload);
}

}  // namespace
}  // namespace chronik::broker

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace chronik;
  if (size == 0) return 0;
  const ByteView rest(data + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
      broker::check_hello(rest);
      break;
    case 1: {
      // Random bytes begin with no magic.
      Bytes hello = broker::encode_hello({});
      std::copy_n(rest.begin(), std::min(rest.size(), hello.size() - 8), hello.begin() + 8);
      if (rest.size() > hello.size() - 8) {
        hello.insert(hello.end(), rest.begin() + static_cast<std::ptrdiff_t>(hello.size()) - 8,
                     rest.end());
      }
      broker::check_hello(hello);
      break;
    }
    case 2:
      broker::check_refusal(rest);
      break;
    default:
      broker::check_frame(to_bytes(rest), data[0] >= 128);
  }
  return 0;
}
