#include "broker/api/describe_cluster.h"

#include <utility>

#include "broker/api/authorized_operations.h"
#include "broker/api/reachable_brokers.h"
#include "broker/broker.h"
#include "broker/runtime/metadata_view.h"
#include "protocol/errors.h"

namespace chronik::broker {

using protocol::DescribeClusterRequest;
using protocol::DescribeClusterResponse;
using protocol::ErrorCode;

namespace {
constexpr std::int8_t endpoints_of_brokers = 1;
}

Task<DescribeClusterResponse> describe_cluster(RequestContext& context,
                                               DescribeClusterRequest request) {
  DescribeClusterResponse response;
  if (request.endpoint_type != endpoints_of_brokers) {
    // 2 asks for the controllers of KRaft, which answer on a listener of their own there.
    const bool known = request.endpoint_type == 2;
    response.error_code = static_cast<std::int16_t>(known ? ErrorCode::mismatched_endpoint_type
                                                          : ErrorCode::unsupported_endpoint_type);
    response.error_message = known ? "The request was sent to an endpoint of type BROKER, but "
                                     "we wanted an endpoint of type CONTROLLER"
                                   : "Unsupported endpoint type " +
                                         std::to_string(static_cast<int>(request.endpoint_type));
    response.endpoint_type = endpoints_of_brokers;
    co_return response;
  }
  response.cluster_id = context.broker().node.cluster_id;
  response.controller_id = controller(context);
  for (ReachableBroker& broker : registered_brokers(context)) {
    if (broker.fenced && !request.include_fenced_brokers) continue;
    DescribeClusterResponse::DescribeClusterBroker& out = response.brokers.emplace_back();
    out.broker_id = broker.id;
    out.host = std::move(broker.host);
    out.port = broker.port;
    out.rack = std::move(broker.rack);
    out.is_fenced = broker.fenced;
  }
  if (request.include_cluster_authorized_operations) {
    response.cluster_authorized_operations = all_cluster_operations;
  }
  co_return response;
}

}  // namespace chronik::broker
