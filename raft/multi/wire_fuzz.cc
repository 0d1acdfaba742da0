// Arbitrary bytes as a frame of another node: decoding never aborts and takes memory in proportion
// to the bytes only; what was decoded encodes to a frame that decodes again.
#include <cstdint>

#include "raft/multi/log_entry.h"
#include "raft/multi/wire.h"

using namespace chronik;        // NOLINT
using namespace chronik::raft;  // NOLINT

namespace {

struct Encode {
  ByteChain operator()(const std::vector<GroupMessage>& messages) const {
    if (messages.empty()) return {};
    const Message& first = messages.front().message;
    const bool beats = first.is<Heartbeat>() || first.is<HeartbeatAnswer>();
    return beats ? encode_beats(messages) : encode_message(messages.front().group, first);
  }
  template <class Other>
  ByteChain operator()(const Other& other) const {
    return encode(other);
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto frame = decode_frame(1, 2, SharedBytes::copy_of(ByteView(data, size)));
  if (!frame) return 0;
  if (const auto* proposal = std::get_if<ForwardedProposal>(&*frame)) {
    static_cast<void>(check_payload(proposal->payload).has_value());
  }
  Bytes bytes;
  const ByteChain chain = std::visit(Encode{}, *frame);
  for (const ByteChain::Part& part : chain.parts()) {
    const ByteView view = std::get<SharedBytes>(part).view();
    bytes.insert(bytes.end(), view.begin(), view.end());
  }
  if (bytes.empty()) return 0;
  const auto again = decode_frame(1, 2, SharedBytes::adopt(std::move(bytes)));
  CHECK(again && again->index() == frame->index());
  return 0;
}
