// What one node asks another for a client of its own, as frames of the cluster port: a request of
// Kafka's protocol that only the leader of the metadata can answer, and what it answered. Their
// first byte tells them from the frames of Raft (raft/multi/wire.h). Pure.
//
//   u8 0xc1 | kind u8 (0 request, 1 answer) | id u64, of the asking node | then of a
//     request: API key i16 | version i16 | body
//     answer: 1 answered, 0 not (it is too busy, or does not answer this API) u8 | body
#pragma once

#include <cstdint>
#include <optional>
#include <variant>

#include "base/bytes.h"

namespace chronik::broker {

struct NodeRequest {
  std::uint64_t id = 0;
  std::int16_t api_key = -1;
  std::int16_t version = -1;
  SharedBytes body;
};

struct NodeAnswer {
  std::uint64_t id = 0;
  bool answered = false;
  SharedBytes body;
};

ByteChain encode(const NodeRequest& request);
ByteChain encode(const NodeAnswer& answer);

/// Whether it is for decode_node_frame().
bool is_node_frame(ByteView frame);
/// Nothing when it is neither. Bodies are slices of the frame.
std::optional<std::variant<NodeRequest, NodeAnswer>> decode_node_frame(const SharedBytes& frame);

}  // namespace chronik::broker
