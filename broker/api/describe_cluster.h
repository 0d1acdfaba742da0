// DescribeCluster (KIP-700): who the cluster is and how its brokers are reached.
#pragma once

#include "broker/api/context.h"
#include "protocol/messages/describe_cluster.h"

namespace chronik::broker {

Task<protocol::DescribeClusterResponse> describe_cluster(RequestContext& context,
                                                         protocol::DescribeClusterRequest request);

}  // namespace chronik::broker
