#include "broker/api/group_call.h"
#include "broker/api/groups.h"

namespace chronik::broker {

using protocol::LeaveGroupRequest;
using protocol::LeaveGroupResponse;
using protocol::to_wire;

namespace {

constexpr std::int16_t batched_since = 3;

std::vector<LeavingMember> leaving_members(std::int16_t version, LeaveGroupRequest& request) {
  std::vector<LeavingMember> leaving;
  if (version < batched_since) {
    leaving.push_back({std::move(request.member_id), {}, {}});
    return leaving;
  }
  leaving.reserve(request.members.size());
  for (LeaveGroupRequest::MemberIdentity& member : request.members) {
    leaving.push_back({std::move(member.member_id), std::move(member.group_instance_id),
                       member.reason.value_or("")});
  }
  return leaving;
}

}  // namespace

Task<LeaveGroupResponse> leave_group(RequestContext& context, LeaveGroupRequest request) {
  std::vector<LeavingMember> leaving = leaving_members(context.version(), request);
  GroupCoordinator& groups = *context.broker().groups;
  const GroupToken token = groups.new_token();
  auto work = [&groups, &request, &leaving, token] {
    return groups.leave(std::move(request.group_id), std::move(leaving), token);
  };
  Task<LeaveResult> call = call_waiting(context, token, work);
  LeaveResult result = co_await std::move(call);
  LeaveGroupResponse response;
  response.error_code = to_wire(result.error);
  if (context.version() < batched_since) {
    if (response.error_code == 0 && !result.members.empty()) {
      response.error_code = to_wire(result.members.front().error);
    }
    co_return response;
  }
  response.members.reserve(result.members.size());
  for (LeaveResult::Member& member : result.members) {
    LeaveGroupResponse::MemberResponse& to = response.members.emplace_back();
    to.member_id = std::move(member.member_id);
    to.group_instance_id = std::move(member.group_instance_id);
    to.error_code = to_wire(member.error);
  }
  co_return response;
}

}  // namespace chronik::broker
