// How a handler calls the group coordinator, which lives on the first shard.
#pragma once

#include <type_traits>
#include <utility>

#include "broker/api/context.h"
#include "broker/broker.h"
#include "broker/group/coordinator.h"
#include "broker/runtime/on.h"
#include "protocol/errors.h"

namespace chronik::broker {

/// Runs `work`, which gives a Task, on the coordinator's shard. If the client goes before it is
/// answered, the coordinator is told to stop waiting for `token`.
template <class F>
Task<typename std::invoke_result_t<F&>::Value> call_waiting(RequestContext& context,
                                                            GroupToken token, F work) {
  using Result = typename std::invoke_result_t<F&>::Value;
  if (context.cancelled()) co_return Result{};
  GroupCoordinator* groups = context.broker().groups;
  Shard* home = &context.broker().shards->first();
  // This message leaves behind that of `work`, so it cannot arrive before it.
  context.on_cancel(
      [groups, home, token] { home->post([groups, token] { groups->cancel(token); }); });
  auto hop = on(*home, std::move(work));
  Result result = co_await hop;
  context.on_cancel(nullptr);
  co_return result;
}

/// What one response may hold. A request can name the same group or partition a million times, so
/// that its own size bounds nothing; what is above this (the limit of requests) is refused with
/// INVALID_REQUEST.
inline constexpr std::size_t group_response_bytes_max = std::size_t{100} << 20;

}  // namespace chronik::broker
