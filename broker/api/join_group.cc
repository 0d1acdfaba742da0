#include "broker/api/group_call.h"
#include "broker/api/groups.h"

namespace chronik::broker {

using protocol::JoinGroupRequest;
using protocol::JoinGroupResponse;
using protocol::to_wire;

namespace {

constexpr std::int16_t rebalance_timeout_since = 1;
constexpr std::int16_t member_id_first_since = 4;  // KIP-394
constexpr std::int16_t nullable_protocol_since = 7;
constexpr std::int16_t skip_assignment_since = 9;  // KIP-814

JoinRequest to_join(RequestContext& context, JoinGroupRequest& request) {
  JoinRequest join;
  join.member_id = std::move(request.member_id);
  join.group_instance_id = std::move(request.group_instance_id);
  join.client_id = std::string(context.client_id());
  join.client_host = context.connection().client_host;
  join.protocol_type = std::move(request.protocol_type);
  join.protocols.reserve(request.protocols.size());
  for (JoinGroupRequest::JoinGroupRequestProtocol& protocol : request.protocols) {
    join.protocols.push_back({std::move(protocol.name), std::move(protocol.metadata)});
  }
  join.session_timeout_ms = request.session_timeout_ms;
  join.rebalance_timeout_ms = context.version() >= rebalance_timeout_since
                                  ? request.rebalance_timeout_ms
                                  : request.session_timeout_ms;
  join.reason = request.reason.value_or("");
  join.two_step = context.version() >= member_id_first_since;
  join.can_skip_assignment = context.version() >= skip_assignment_since;
  return join;
}

JoinGroupResponse to_response(std::int16_t version, JoinResult result) {
  JoinGroupResponse response;
  response.error_code = to_wire(result.error);
  response.generation_id = result.generation;
  response.protocol_type = std::move(result.protocol_type);
  response.protocol_name = std::move(result.protocol_name);
  if (version < nullable_protocol_since && !response.protocol_name) response.protocol_name = "";
  response.leader = std::move(result.leader);
  response.skip_assignment = result.skip_assignment;
  response.member_id = std::move(result.member_id);
  response.members.reserve(result.members.size());
  for (JoinResult::Member& member : result.members) {
    JoinGroupResponse::JoinGroupResponseMember& to = response.members.emplace_back();
    to.member_id = std::move(member.member_id);
    to.group_instance_id = std::move(member.group_instance_id);
    to.metadata = std::move(member.metadata);
  }
  return response;
}

}  // namespace

Task<JoinGroupResponse> join_group(RequestContext& context, JoinGroupRequest request) {
  GroupCoordinator& groups = *context.broker().groups;
  const GroupToken token = groups.new_token();
  JoinRequest join = to_join(context, request);
  auto work = [&groups, &request, &join, token] {
    return groups.join(std::move(request.group_id), std::move(join), token);
  };
  Task<JoinResult> call = call_waiting(context, token, work);
  JoinResult result = co_await std::move(call);
  co_return to_response(context.version(), std::move(result));
}

}  // namespace chronik::broker
