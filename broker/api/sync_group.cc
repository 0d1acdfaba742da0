#include "broker/api/group_call.h"
#include "broker/api/groups.h"

namespace chronik::broker {

using protocol::ErrorCode;
using protocol::SyncGroupRequest;
using protocol::SyncGroupResponse;
using protocol::to_wire;

namespace {

constexpr std::int16_t names_protocol_since = 5;  // KIP-559

}  // namespace

Task<SyncGroupResponse> sync_group(RequestContext& context, SyncGroupRequest request) {
  SyncGroupResponse response;
  if (context.version() >= names_protocol_since &&
      (!request.protocol_type || !request.protocol_name)) {
    response.error_code = to_wire(ErrorCode::inconsistent_group_protocol);
    co_return response;
  }
  SyncRequest sync;
  sync.member_id = std::move(request.member_id);
  sync.group_instance_id = std::move(request.group_instance_id);
  sync.generation = request.generation_id;
  sync.protocol_type = std::move(request.protocol_type);
  sync.protocol_name = std::move(request.protocol_name);
  sync.assignments.reserve(request.assignments.size());
  for (SyncGroupRequest::SyncGroupRequestAssignment& assigned : request.assignments) {
    sync.assignments.push_back({std::move(assigned.member_id), std::move(assigned.assignment)});
  }
  GroupCoordinator& groups = *context.broker().groups;
  const GroupToken token = groups.new_token();
  auto work = [&groups, &request, &sync, token] {
    return groups.sync(std::move(request.group_id), std::move(sync), token);
  };
  Task<SyncResult> call = call_waiting(context, token, work);
  SyncResult result = co_await std::move(call);
  response.error_code = to_wire(result.error);
  response.protocol_type = std::move(result.protocol_type);
  response.protocol_name = std::move(result.protocol_name);
  response.assignment = std::move(result.assignment);
  co_return response;
}

}  // namespace chronik::broker
