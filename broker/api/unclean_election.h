// Unclean elections (ElectLeaders, KIP-460): a partition that cannot have a leader any more goes on
// with what one of its replicas has. What that is, and what may be lost, the replicas that are
// there are asked (DescribeReplicas); the choice is survivor.h's, and an event of the metadata
// (PartitionRecovered), which raft/multi/recovery.h follows.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/types.h"
#include "base/uuid.h"
#include "broker/api/context.h"
#include "broker/runtime/task.h"
#include "protocol/errors.h"

namespace chronik::broker {

struct UncleanElection {
  Uuid topic_id;
  PartitionId partition = 0;
  // The outcome.
  protocol::ErrorCode error = protocol::ErrorCode::none;
  std::string message;  // also without an error: what may be lost
};

/// Fills in the outcomes. Where there is none but a leader that has not shown itself by `limit`:
/// request_timed_out. `rehearsed`: only says what would be lost.
Task<void> elect_uncleanly(RequestContext& context, std::vector<UncleanElection>& elections,
                           SteadyTime limit, bool rehearsed);

}  // namespace chronik::broker
