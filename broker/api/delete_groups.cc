#include <fmt/format.h>

#include <unordered_set>

#include "broker/api/group_call.h"
#include "broker/api/groups.h"
#include "protocol/errors.h"

namespace chronik::broker {

using protocol::DeleteGroupsRequest;
using protocol::DeleteGroupsResponse;
using protocol::ErrorCode;
using protocol::to_wire;

namespace {

/// In the order of the request, each once.
std::vector<std::string> distinct(std::vector<std::string> names) {
  std::unordered_set<std::string_view> seen;
  std::vector<std::string> kept;
  kept.reserve(names.size());  // the views point into it
  for (std::string& name : names) {
    if (seen.contains(name)) continue;
    kept.push_back(std::move(name));
    seen.insert(kept.back());
  }
  return kept;
}

/// Kafka has a field for it in version 3, and nothing to say.
std::string why(ErrorCode error, const std::string& group_id) {
  switch (error) {
    case ErrorCode::non_empty_group:
      return fmt::format("Group {} has members: it can be deleted when they have left.", group_id);
    case ErrorCode::group_id_not_found:
      return fmt::format("Group {} not found.", group_id);
    default:
      return std::string(protocol::error_message(error));
  }
}

}  // namespace

Task<DeleteGroupsResponse> delete_groups(RequestContext& context, DeleteGroupsRequest request) {
  const std::vector<std::string> group_ids = distinct(std::move(request.groups_names));
  GroupCoordinator& groups = *context.broker().groups;
  auto work = [&groups, &group_ids] { return groups.delete_groups(group_ids); };
  auto hop = on(context.broker().shards->first(), work);
  const std::vector<ErrorCode> codes = co_await hop;
  DeleteGroupsResponse response;
  response.results.reserve(codes.size());
  for (std::size_t i = 0; i < codes.size(); ++i) {
    DeleteGroupsResponse::DeletableGroupResult& result = response.results.emplace_back();
    result.group_id = group_ids[i];
    result.error_code = to_wire(codes[i]);
    if (codes[i] != ErrorCode::none) result.error_message = why(codes[i], group_ids[i]);
  }
  co_return response;
}

}  // namespace chronik::broker
