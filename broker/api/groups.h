// The APIs of consumer groups and committed offsets: handlers that turn requests of all their
// versions into calls of the GroupCoordinator (broker/group/coordinator.h) on its shard, and back.
#pragma once

#include "broker/api/context.h"
#include "broker/runtime/task.h"
#include "protocol/messages/delete_groups.h"
#include "protocol/messages/describe_groups.h"
#include "protocol/messages/find_coordinator.h"
#include "protocol/messages/heartbeat.h"
#include "protocol/messages/join_group.h"
#include "protocol/messages/leave_group.h"
#include "protocol/messages/list_groups.h"
#include "protocol/messages/offset_commit.h"
#include "protocol/messages/offset_delete.h"
#include "protocol/messages/offset_fetch.h"
#include "protocol/messages/sync_group.h"

namespace chronik::broker {

Task<protocol::OffsetCommitResponse> offset_commit(RequestContext& context,
                                                   protocol::OffsetCommitRequest request);
Task<protocol::OffsetFetchResponse> offset_fetch(RequestContext& context,
                                                 protocol::OffsetFetchRequest request);
Task<protocol::FindCoordinatorResponse> find_coordinator(RequestContext& context,
                                                         protocol::FindCoordinatorRequest request);
Task<protocol::JoinGroupResponse> join_group(RequestContext& context,
                                             protocol::JoinGroupRequest request);
Task<protocol::HeartbeatResponse> heartbeat(RequestContext& context,
                                            protocol::HeartbeatRequest request);
Task<protocol::LeaveGroupResponse> leave_group(RequestContext& context,
                                               protocol::LeaveGroupRequest request);
Task<protocol::SyncGroupResponse> sync_group(RequestContext& context,
                                             protocol::SyncGroupRequest request);
Task<protocol::DescribeGroupsResponse> describe_groups(RequestContext& context,
                                                       protocol::DescribeGroupsRequest request);
Task<protocol::ListGroupsResponse> list_groups(RequestContext& context,
                                               protocol::ListGroupsRequest request);
Task<protocol::DeleteGroupsResponse> delete_groups(RequestContext& context,
                                                   protocol::DeleteGroupsRequest request);
Task<protocol::OffsetDeleteResponse> offset_delete(RequestContext& context,
                                                   protocol::OffsetDeleteRequest request);

}  // namespace chronik::broker
