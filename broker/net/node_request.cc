#include "broker/net/node_request.h"

#include "base/coding.h"

namespace chronik::broker {

namespace {

constexpr std::uint8_t mark = 0xc1;
constexpr std::uint8_t kind_request = 0;
constexpr std::uint8_t kind_answer = 1;

ByteChain finish(Writer& head, const SharedBytes& body) {
  ByteChain chain;
  chain.append(SharedBytes::adopt(head.take_bytes()));
  if (!body.empty()) chain.append(body);
  return chain;
}

}  // namespace

ByteChain encode(const NodeRequest& request) {
  Writer head;
  head.u8(mark);
  head.u8(kind_request);
  head.u64(request.id);
  head.i16(request.api_key);
  head.i16(request.version);
  return finish(head, request.body);
}

ByteChain encode(const NodeAnswer& answer) {
  Writer head;
  head.u8(mark);
  head.u8(kind_answer);
  head.u64(answer.id);
  head.u8(answer.answered ? 1 : 0);
  return finish(head, answer.body);
}

bool is_node_frame(ByteView frame) { return !frame.empty() && frame.front() == mark; }

std::optional<std::variant<NodeRequest, NodeAnswer>> decode_node_frame(const SharedBytes& frame) {
  using Decoded = std::variant<NodeRequest, NodeAnswer>;
  Reader reader(frame.view());
  if (reader.u8() != mark) return std::nullopt;
  const std::uint8_t kind = reader.u8();
  const auto body = [&] {
    return frame.slice(frame.size() - reader.remaining(), reader.remaining());
  };
  if (kind == kind_request) {
    NodeRequest request;
    request.id = reader.u64();
    request.api_key = reader.i16();
    request.version = reader.i16();
    if (!reader.ok()) return std::nullopt;
    request.body = body();
    return Decoded(std::move(request));
  }
  if (kind != kind_answer) return std::nullopt;
  NodeAnswer answer;
  answer.id = reader.u64();
  const std::uint8_t answered = reader.u8();
  if (!reader.ok() || answered > 1) return std::nullopt;
  answer.answered = answered == 1;
  answer.body = body();
  return Decoded(std::move(answer));
}

}  // namespace chronik::broker
