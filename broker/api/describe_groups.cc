#include <fmt/format.h>

#include "broker/api/authorized_operations.h"
#include "broker/api/group_call.h"
#include "broker/api/groups.h"

namespace chronik::broker {

using protocol::DescribeGroupsRequest;
using protocol::DescribeGroupsResponse;
using protocol::ErrorCode;
using protocol::to_wire;

namespace {

constexpr std::int16_t not_found_since = 6;  // KIP-1043; before, an unknown group is a dead one

DescribeGroupsResponse::DescribedGroup describe(const GroupCoordinator& groups,
                                                std::int16_t version, const std::string& group_id,
                                                std::size_t& bytes) {
  DescribeGroupsResponse::DescribedGroup described;
  described.group_id = group_id;
  described.group_state = to_string(GroupState::dead);
  if (!groups.running()) {
    described.error_code = to_wire(ErrorCode::coordinator_not_available);
    return described;
  }
  std::optional<GroupDescription> group = groups.describe(group_id);
  if (!group || group->state == GroupState::dead) {
    if (version >= not_found_since) {
      described.error_code = to_wire(ErrorCode::group_id_not_found);
      described.error_message = fmt::format("Group {} not found.", group_id);
    }
    return described;
  }
  described.group_state = to_string(group->state);
  described.protocol_type = std::move(group->protocol_type);
  described.protocol_data = std::move(group->protocol_name);
  described.members.reserve(group->members.size());
  for (GroupDescription::Member& member : group->members) {
    bytes += sizeof member + member.metadata.size() + member.assignment.size();
    DescribeGroupsResponse::DescribedGroupMember& to = described.members.emplace_back();
    to.member_id = std::move(member.member_id);
    to.group_instance_id = std::move(member.group_instance_id);
    to.client_id = std::move(member.client_id);
    to.client_host = std::move(member.client_host);
    to.member_metadata = std::move(member.metadata);
    to.member_assignment = std::move(member.assignment);
  }
  return described;
}

}  // namespace

Task<DescribeGroupsResponse> describe_groups(RequestContext& context,
                                             DescribeGroupsRequest request) {
  const GroupCoordinator& groups = *context.broker().groups;
  const std::int16_t version = context.version();
  DescribeGroupsResponse response;
  auto work = [&groups, &request, &response, version] {
    std::size_t bytes = 0;
    for (const std::string& group_id : request.groups) {
      if (bytes <= group_response_bytes_max) {
        response.groups.push_back(describe(groups, version, group_id, bytes));
        continue;
      }
      DescribeGroupsResponse::DescribedGroup& refused = response.groups.emplace_back();
      refused.group_id = group_id;
      refused.error_code = to_wire(ErrorCode::invalid_request);
    }
  };
  auto hop = on(context.broker().shards->first(), work);
  co_await hop;
  if (request.include_authorized_operations) {
    for (DescribeGroupsResponse::DescribedGroup& group : response.groups) {
      if (group.error_code == 0) group.authorized_operations = all_group_operations;
    }
  }
  co_return response;
}

}  // namespace chronik::broker
