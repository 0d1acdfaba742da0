// UnregisterBroker: a broker that will not come back is forgotten. One that is there would have to
// be stopped first: it registers itself at its start only.
#include <spdlog/fmt/fmt.h>

#include <utility>

#include "broker/api/error_map.h"
#include "broker/api/handlers.h"
#include "broker/broker.h"
#include "broker/runtime/metadata_view.h"
#include "protocol/errors.h"
#include "protocol/messages/unregister_broker.h"

namespace chronik::broker {

using protocol::ErrorCode;
using protocol::UnregisterBrokerRequest;
using protocol::UnregisterBrokerResponse;

namespace {

UnregisterBrokerResponse refusal(ErrorCode code, std::string message) {
  UnregisterBrokerResponse response;
  response.error_code = protocol::to_wire(code);
  response.error_message = std::move(message);
  return response;
}

}  // namespace

Task<UnregisterBrokerResponse> unregister_broker(RequestContext& context,
                                                 UnregisterBrokerRequest request) {
  MetadataView& view = *context.broker().metadata;
  const BrokerId id = request.broker_id;
  const bool known = view.image()->broker(id) != nullptr;
  if (known && (id == context.broker().node.id || !view.is_absent(id))) {
    co_return refusal(ErrorCode::invalid_request,
                      fmt::format("broker {} is running: stop it first", id));
  }
  metadata::BrokerRemoved removed;
  removed.broker_id = id;
  std::vector<metadata::MetadataEvent> events;
  events.emplace_back(removed);
  auto proposal = view.propose(std::move(events));
  const Result<metadata::ApplyResults> outcome = co_await std::move(proposal);
  if (!outcome) {
    co_return refusal(to_error_code(outcome.error().code), outcome.error().message);
  }
  const metadata::ApplyResult& applied = outcome->front();
  if (!applied.ok()) co_return refusal(applied.code, applied.message);
  co_return UnregisterBrokerResponse();
}

}  // namespace chronik::broker
