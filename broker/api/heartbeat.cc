#include "broker/api/group_call.h"
#include "broker/api/groups.h"

namespace chronik::broker {

using protocol::ErrorCode;
using protocol::HeartbeatRequest;
using protocol::HeartbeatResponse;
using protocol::to_wire;

Task<HeartbeatResponse> heartbeat(RequestContext& context, HeartbeatRequest request) {
  GroupCoordinator& groups = *context.broker().groups;
  auto work = [&groups, &request] {
    return groups.heartbeat(request.group_id, request.member_id, request.group_instance_id,
                            request.generation_id);
  };
  auto hop = on(context.broker().shards->first(), work);
  const ErrorCode error = co_await hop;
  HeartbeatResponse response;
  response.error_code = to_wire(error);
  co_return response;
}

}  // namespace chronik::broker
