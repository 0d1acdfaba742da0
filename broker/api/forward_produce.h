// Batches that came to a node while the leadership of their partitions went to another one: that
// one gets them, and the client an answer instead of an error, for which it would wait
// retry.backoff.ms. It is told who leads beside it (KIP-951). Batches without a producer id only:
// nobody was promised their order while the leader changes.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "broker/api/context.h"
#include "broker/runtime/task.h"
#include "protocol/messages/produce.h"

namespace chronik::broker {

/// Refused here with NOT_LEADER_OR_FOLLOWER, as the response says.
struct RefusedBatch {
  Uuid topic_id;
  PartitionId partition = 0;
  SharedBytes records;
  protocol::ProduceResponse::PartitionProduceResponse* response = nullptr;
};

/// Fills in what the leaders answer. The responses stay as they are where nobody is known to lead,
/// or the leader takes nothing at the moment; they say REQUEST_TIMED_OUT where it is not known
/// whether the leader has appended. Not for requests of other nodes, nor with acks=0. On the
/// connection's shard.
Task<void> forward_batches(RequestContext& context, std::vector<RefusedBatch> batches,
                           std::int16_t acks);

}  // namespace chronik::broker
