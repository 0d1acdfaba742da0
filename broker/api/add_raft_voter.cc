// AddRaftVoter (KIP-853): a node that follows the metadata gets a vote. It must be connected, which
// it is by standing in cluster.nodes; the listeners that the request names are not needed.
#include <utility>

#include "broker/api/handlers.h"
#include "broker/api/leader_call.h"
#include "broker/api/voter_change.h"
#include "protocol/messages/add_raft_voter.h"

namespace chronik::broker {

using protocol::AddRaftVoterRequest;
using protocol::AddRaftVoterResponse;
using protocol::ErrorCode;

namespace {

constexpr milliseconds wait_max{60'000};

AddRaftVoterResponse refusal(ErrorCode code, std::string message) {
  AddRaftVoterResponse response;
  response.error_code = protocol::to_wire(code);
  response.error_message = std::move(message);
  return response;
}

}  // namespace

Task<AddRaftVoterResponse> add_raft_voter(RequestContext& context, AddRaftVoterRequest request) {
  Broker& broker = context.broker();
  if (auto refused = refuse_voter_change(broker, request.cluster_id, request.voter_id)) {
    co_return refusal(refused->first, refused->second);
  }
  const milliseconds timeout =
      std::clamp(milliseconds(request.timeout_ms), milliseconds(1), wait_max);
  // The leader's own answer, that it was not in time, comes first.
  auto call = call_leader(context, request, timeout + leader_call_timeout);
  Result<std::optional<AddRaftVoterResponse>> answered = co_await std::move(call);
  if (!answered) {
    co_return refusal(voter_change_error(answered.error()), answered.error().message);
  }
  if (*answered) co_return std::move(**answered);
  GivenUp given_up = given_up_of(context);
  auto work = [&] {
    return broker.quorum->add_voter(request.voter_id, request.voter_directory_id, timeout,
                                    std::move(given_up));
  };
  auto hop = on(broker.shards->first(), work);
  const Result<void> added = co_await hop;
  if (added) co_return AddRaftVoterResponse();
  // Kafka has no code for a node that is not there; what does not exist is not the voter.
  const bool absent = added.error().code == Errc::not_found;
  co_return refusal(absent ? ErrorCode::invalid_request : voter_change_error(added.error()),
                    added.error().message);
}

}  // namespace chronik::broker
