// OtherNodes: what a handler asks another node of the cluster, as a request of Kafka's protocol.
// Implemented by ClusterMember; without a cluster there is none. On the first shard.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/types.h"
#include "broker/runtime/task.h"

namespace chronik::broker {

class OtherNodes {
 public:
  virtual ~OtherNodes() = default;

  /// The answer of the node's handler. Errors: timeout (also where it is not connected), busy (as
  /// here, so there), closed.
  virtual Task<Result<SharedBytes>> ask_node(BrokerId node, std::int16_t api_key,
                                             std::int16_t version, SharedBytes body,
                                             milliseconds timeout) = 0;
};

}  // namespace chronik::broker
