// DescribeReplicas: what this node's replicas hold, for the node that makes an unclean election
// (broker/api/unclean_election.h). Between nodes only: not in the table of what is spoken.
#pragma once

#include "broker/api/context.h"
#include "broker/api/handler.h"
#include "broker/messages/describe_replicas.h"
#include "broker/runtime/task.h"

namespace chronik::broker {

using DescribeReplicasRequest = peer::DescribeReplicasRequest;
using DescribeReplicasResponse = peer::DescribeReplicasResponse;

Task<DescribeReplicasResponse> describe_replicas(RequestContext& context,
                                                 DescribeReplicasRequest request);

/// For NodeRequests.
const ApiEntry& describe_replicas_entry();

}  // namespace chronik::broker
