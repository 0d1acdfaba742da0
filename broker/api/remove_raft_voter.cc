// RemoveRaftVoter (KIP-853): a node has no vote any more. One that is running stays an observer.
#include <utility>

#include "broker/api/handlers.h"
#include "broker/api/leader_call.h"
#include "broker/api/voter_change.h"
#include "protocol/messages/remove_raft_voter.h"

namespace chronik::broker {

using protocol::ErrorCode;
using protocol::RemoveRaftVoterRequest;
using protocol::RemoveRaftVoterResponse;

namespace {

RemoveRaftVoterResponse refusal(ErrorCode code, std::string message) {
  RemoveRaftVoterResponse response;
  response.error_code = protocol::to_wire(code);
  response.error_message = std::move(message);
  return response;
}

}  // namespace

Task<RemoveRaftVoterResponse> remove_raft_voter(RequestContext& context,
                                                RemoveRaftVoterRequest request) {
  Broker& broker = context.broker();
  if (auto refused = refuse_voter_change(broker, request.cluster_id, request.voter_id)) {
    co_return refusal(refused->first, refused->second);
  }
  auto call = call_leader(context, request);
  Result<std::optional<RemoveRaftVoterResponse>> answered = co_await std::move(call);
  if (!answered) {
    co_return refusal(voter_change_error(answered.error()), answered.error().message);
  }
  if (*answered) co_return std::move(**answered);
  auto work = [&] {
    return broker.quorum->remove_voter(request.voter_id, request.voter_directory_id,
                                       leader_call_timeout);
  };
  auto hop = on(broker.shards->first(), work);
  const Result<void> removed = co_await hop;
  if (removed) co_return RemoveRaftVoterResponse();
  co_return refusal(voter_change_error(removed.error()), removed.error().message);
}

}  // namespace chronik::broker
