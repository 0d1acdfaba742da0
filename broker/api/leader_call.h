// Requests that only the leader of the metadata can answer, and that clients send to any broker.
#pragma once

#include <optional>
#include <utility>

#include "base/coding.h"
#include "broker/api/context.h"
#include "broker/api/quorum.h"
#include "broker/broker.h"
#include "broker/runtime/metadata_view.h"
#include "broker/runtime/on.h"
#include "protocol/codec.h"

namespace chronik::broker {

inline constexpr milliseconds leader_call_timeout{10'000};

/// Tells the quorum when the client is gone.
inline GivenUp given_up_of(RequestContext& context) {
  auto flag = std::make_shared<std::atomic<bool>>(false);
  context.on_cancel([flag] { flag->store(true); });
  return flag;
}

/// What the leader answered; nothing: this node is to answer by itself (it leads, or is alone, or
/// was asked by another node, which took it for the leader). Errors: of Quorum::ask_leader.
template <class Request>
Task<Result<std::optional<typename Request::Response>>> call_leader(
    RequestContext& context, const Request& request, milliseconds timeout = leader_call_timeout) {
  using Answer = std::optional<typename Request::Response>;
  Broker& broker = context.broker();
  const BrokerId leader = broker.metadata->leadership().leader;
  if (broker.quorum == nullptr || context.connection().of_node || leader == broker.node.id) {
    co_return Answer();
  }
  Writer writer;
  protocol::encode(writer, context.version(), request);
  SharedBytes body = SharedBytes::adopt(writer.take_bytes());
  GivenUp given_up = given_up_of(context);
  auto work = [&] {
    return broker.quorum->ask_leader(Request::api_key, context.version(), std::move(body), timeout,
                                     std::move(given_up));
  };
  auto hop = on(broker.shards->first(), work);
  Result<SharedBytes> answer = co_await hop;
  if (!answer) co_return std::move(answer).error();
  Reader reader(std::move(*answer));
  typename Request::Response response;
  if (!protocol::decode(reader, context.version(), response)) {
    co_return Error{Errc::unsupported,
                    "what the leader answered cannot be read: upgrade the older "
                    "of the two brokers"};
  }
  co_return Answer(std::move(response));
}

}  // namespace chronik::broker
