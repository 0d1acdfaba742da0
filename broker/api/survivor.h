// Survivor: which replica a partition without a leader may go on with, and what is lost by that.
// Pure.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "base/types.h"
#include "base/uuid.h"
#include "broker/messages/describe_replicas.h"
#include "metadata/events.h"
#include "metadata/image.h"
#include "protocol/errors.h"

namespace chronik::broker {

/// What a node said of its replica, which is open there.
struct HeardReplica {
  BrokerId broker = -1;
  Uuid directory;
  peer::DescribeReplicasResponse::ReplicaData holds;
};

struct Survivor {
  /// none: `event` is to be proposed. election_not_needed: it has a leader, or those that are there
  /// can elect one (`elects_itself`). eligible_leaders_not_available: nobody can be taken, or who
  /// is there without having answered might know more.
  protocol::ErrorCode error = protocol::ErrorCode::none;
  /// What may be lost; or why there is none.
  std::string message;
  bool elects_itself = false;
  metadata::PartitionRecovered event;  // its time is the caller's
};

/// The one with the longest log, as Raft compares them. `heard`: of replicas of this partition
/// only. `is_gone`: the cluster has given the broker up for the moment; a replica that was not
/// heard, and is not gone, is waited for.
Survivor choose_survivor(const metadata::Topic& topic, PartitionId partition,
                         std::span<const HeardReplica> heard,
                         const std::function<bool(BrokerId)>& is_gone);

}  // namespace chronik::broker
