#include "broker/api/group_call.h"
#include "broker/api/groups.h"
#include "broker/api/reachable_brokers.h"
#include "broker/broker.h"
#include "broker/runtime/metadata_view.h"
#include "protocol/errors.h"

namespace chronik::broker {

using protocol::ErrorCode;
using protocol::FindCoordinatorRequest;
using protocol::FindCoordinatorResponse;
using protocol::to_wire;

namespace {

constexpr std::int8_t group_key = 0;
constexpr std::int8_t transaction_key = 1;
constexpr std::int8_t share_key = 2;
constexpr std::int16_t batched_since = 4;

using Coordinator = FindCoordinatorResponse::Coordinator;

Coordinator refuse(ErrorCode error, std::string_view message) {
  Coordinator refused;
  refused.node_id = -1;
  refused.port = -1;
  refused.error_code = to_wire(error);
  refused.error_message = std::string(message);
  return refused;
}

/// Who leads the metadata coordinates all groups.
Coordinator leading_node(RequestContext& context) {
  const metadata::Leadership leadership = context.broker().metadata->leadership();
  const std::optional<ReachableBroker> node = reachable_broker(context, leadership.leader);
  if (!node) {
    return refuse(ErrorCode::coordinator_not_available,
                  protocol::error_message(ErrorCode::coordinator_not_available));
  }
  Coordinator found;
  found.node_id = node->id;
  found.host = node->host;
  found.port = node->port;
  return found;
}

Coordinator coordinator_of(RequestContext& context, std::int8_t key_type) {
  switch (key_type) {
    case group_key:
      return leading_node(context);
    case transaction_key:
      // Not COORDINATOR_NOT_AVAILABLE: clients would try again until they time out, and never learn
      // why. This ends initTransactions() at once, with the message.
      return refuse(ErrorCode::unsupported_version,
                    "This broker does not support transactions: leave transactional.id unset.");
    case share_key:
    default:
      return refuse(ErrorCode::invalid_request,
                    protocol::error_message(ErrorCode::invalid_request));
  }
}

}  // namespace

Task<FindCoordinatorResponse> find_coordinator(RequestContext& context,
                                               FindCoordinatorRequest request) {
  FindCoordinatorResponse response;
  if (context.version() >= batched_since) {
    response.coordinators.reserve(request.coordinator_keys.size());
    for (std::string& key : request.coordinator_keys) {
      Coordinator& found = response.coordinators.emplace_back();
      found = coordinator_of(context, request.key_type);
      found.key = std::move(key);
    }
    co_return response;
  }
  Coordinator found = coordinator_of(context, request.key_type);
  response.error_code = found.error_code;
  // Kafka says "NONE" here where all is well.
  response.error_message = found.error_code == 0 ? "NONE" : std::move(found.error_message);
  response.node_id = found.node_id;
  response.host = std::move(found.host);
  response.port = found.port;
  co_return response;
}

}  // namespace chronik::broker
