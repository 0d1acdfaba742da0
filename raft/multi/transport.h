// Transport: what Raft sees of the network between nodes. The cluster port implements it
// (broker/net/peer_transport.h), and so does the simulator. Used on the shard whose groups it
// serves.
//
// Frames of one node to another arrive in order and once each, or not at all: a frame may be lost
// when the connection ends, when the queue to that node is full, or when it cannot be reached. Who
// wants to be sure sends again; Raft does.
#pragma once

#include "base/bytes.h"
#include "base/types.h"

namespace chronik::raft {

/// A node's number in its cluster: the broker's id.
using NodeId = BrokerId;

class Transport {
 public:
  virtual ~Transport() = default;

  /// Never blocks and tells no outcome. The bytes must not change any more.
  virtual void send(NodeId to, SharedBytes frame) = 0;
};

}  // namespace chronik::raft
