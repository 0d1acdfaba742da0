// Transport: how frames (raft/multi/wire.h) get from this node to another. The broker's
// implementation is a connection per node pair (broker/net); tests and the simulator have a fake.
// On the shard of the RaftReplicaManager that uses it; outlives it.
//
// Contract: send() never blocks and never calls back. A frame arrives whole or not at all; frames
// keep their order while a connection lasts. What comes is handed to RaftReplicaManager::receive(),
// where `from` is whom the handshake has proven; the end of a connection is told by on_node_down().
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "raft/core/membership.h"

namespace chronik::raft {

/// The largest frame that a correct node sends: one entry, however large the metadata log allows it
/// to be, and what is around it. A transport ends the connection of a node that announces more.
inline constexpr std::uint64_t frame_bytes_max = 72u << 20;

class Transport {
 public:
  virtual ~Transport() = default;

  /// Memory only, no file ranges. The bytes do not change any more. Bounded by the transport: what
  /// a slow or unreachable node would pile up is dropped, which Raft survives.
  virtual void send(NodeId to, ByteChain frame) = 0;
};

}  // namespace chronik::raft
