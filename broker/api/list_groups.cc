#include <algorithm>

#include "broker/api/group_call.h"
#include "broker/api/groups.h"
#include "broker/api/reachable_brokers.h"
#include "broker/runtime/metadata_view.h"

namespace chronik::broker {

using protocol::ErrorCode;
using protocol::ListGroupsRequest;
using protocol::ListGroupsResponse;
using protocol::to_wire;

namespace {

constexpr std::string_view classic = "classic";

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return lower;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

/// No filter lets everything pass; a word that is no state or type lets nothing pass.
bool passes(const std::vector<std::string>& filter, std::string_view value) {
  if (filter.empty()) return true;
  const std::string wanted = lower_case(value);
  return std::any_of(filter.begin(), filter.end(),
                     [&](const std::string& word) { return lower_case(trimmed(word)) == wanted; });
}

/// Clients that want all groups ask every node and put the lists together, so one that coordinates
/// none has an empty list, and no error: that would spoil what the others say. Where nobody is
/// known to coordinate they must ask again.
ErrorCode where_none_are(RequestContext& context) {
  const metadata::Leadership leadership = context.broker().metadata->leadership();
  const bool elsewhere = leadership.leader != context.broker().node.id &&
                         reachable_broker(context, leadership.leader).has_value();
  return elsewhere ? ErrorCode::none : ErrorCode::coordinator_not_available;
}

}  // namespace

Task<ListGroupsResponse> list_groups(RequestContext& context, ListGroupsRequest request) {
  GroupCoordinator& groups = *context.broker().groups;
  ListGroupsResponse response;
  const ErrorCode none_here = where_none_are(context);
  auto work = [&groups, &request, &response, none_here] {
    if (!groups.running()) {
      response.error_code = to_wire(none_here);
      return;
    }
    if (!passes(request.types_filter, classic)) return;
    for (ListedGroup& group : groups.list()) {
      if (!passes(request.states_filter, to_string(group.state))) continue;
      ListGroupsResponse::ListedGroup& to = response.groups.emplace_back();
      to.group_id = std::move(group.group_id);
      to.protocol_type = std::move(group.protocol_type);
      to.group_state = to_string(group.state);
      to.group_type = classic;
    }
  };
  auto hop = on(context.broker().shards->first(), work);
  co_await hop;
  co_return response;
}

}  // namespace chronik::broker
