// InitProducerId (key 22) for idempotent producers (KIP-98, KIP-360). Transactional ones are
// refused: this broker does not advertise the transaction APIs, so a client asks only when it was
// told to use a transactional.id anyway.
#include <limits>
#include <utility>

#include "base/log.h"
#include "broker/api/handlers.h"
#include "broker/broker.h"
#include "broker/partition/producer_ids.h"
#include "broker/runtime/on.h"
#include "protocol/errors.h"
#include "protocol/messages/init_producer_id.h"

namespace chronik::broker {

namespace {

using protocol::ErrorCode;
using protocol::InitProducerIdRequest;
using protocol::InitProducerIdResponse;

ErrorCode check(const InitProducerIdRequest& request) {
  if (request.transactional_id) {
    return request.transactional_id->empty() ? ErrorCode::invalid_request
                                             : ErrorCode::transactional_id_authorization_failed;
  }
  return ErrorCode::none;
}

Task<Result<ProducerId>> next_id(ProducerIds& ids) {
  Future<Result<ProducerId>> future = ids.next();
  Result<ProducerId> id = co_await future;
  co_return id;
}

}  // namespace

Task<InitProducerIdResponse> init_producer_id(RequestContext& context,
                                              InitProducerIdRequest request) {
  InitProducerIdResponse response;
  const ErrorCode refused = check(request);
  if (refused != ErrorCode::none) {
    response.error_code = static_cast<std::int16_t>(refused);
    response.producer_epoch = no_producer_epoch;
    co_return response;
  }
  // An idempotent producer that asks again, for a higher epoch, gets a new id with epoch 0 as from
  // Kafka: without a transactional id nothing ties the request to the id it names.
  Broker& broker = context.broker();
  auto work = [&broker] { return next_id(*broker.producer_ids); };
  auto hop = on(broker.shards->first(), work);
  const Result<ProducerId> id = co_await hop;
  if (!id) {
    log_warn("no producer id could be handed out", {{"error", id.error().message}});
    response.error_code = static_cast<std::int16_t>(ErrorCode::coordinator_load_in_progress);
    response.producer_epoch = no_producer_epoch;
    co_return response;
  }
  response.producer_id = *id;
  response.producer_epoch = 0;
  co_return response;
}

}  // namespace chronik::broker
