#include "broker/node_requests.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <utility>

#include "broker/api/api_table.h"
#include "broker/api/describe_replicas.h"
#include "broker/broker.h"
#include "protocol/messages/add_raft_voter.h"
#include "protocol/messages/delete_records.h"
#include "protocol/messages/describe_quorum.h"
#include "protocol/messages/fetch.h"
#include "protocol/messages/produce.h"
#include "protocol/messages/remove_raft_voter.h"

namespace chronik::broker {

namespace {

constexpr std::size_t asked_max = 256;
constexpr std::size_t answering_max = 64;

/// What other nodes may ask for.
constexpr std::array answered_apis = {
    protocol::DescribeQuorumRequest::api_key, protocol::AddRaftVoterRequest::api_key,
    protocol::DeleteRecordsRequest::api_key,  protocol::FetchRequest::api_key,
    protocol::ProduceRequest::api_key,        protocol::RemoveRaftVoterRequest::api_key};

/// Null: there is no such API.
const ApiEntry* entry_of(const Broker& broker, std::int16_t api_key) {
  if (api_key == DescribeReplicasRequest::api_key) return &describe_replicas_entry();
  const bool answered = std::ranges::find(answered_apis, api_key) != answered_apis.end();
  return answered ? broker.apis->find(api_key) : nullptr;
}

Error closing() { return {Errc::closed, "the broker is stopping"}; }

}  // namespace

Task<Result<SharedBytes>> NodeRequests::ask(NodeId to, NodeRequest request, milliseconds timeout,
                                            GivenUp given_up) {
  auto promise = std::make_shared<Promise<Result<SharedBytes>>>();
  Future<Result<SharedBytes>> answer = promise->future();
  ask(to, std::move(request), timeout, std::move(given_up),
      [promise = std::move(promise)](Result<SharedBytes> got) { promise->set(std::move(got)); });
  co_return co_await answer;
}

void NodeRequests::ask(NodeId to, NodeRequest request, milliseconds timeout, GivenUp given_up,
                       Done done) {
  if (closed_) return done(closing());
  if (!transport_.is_up(to)) {
    return done(Error{Errc::timeout, fmt::format("node {}, which leads, is not connected", to)});
  }
  if (asked_.size() >= asked_max) {
    return done(Error{Errc::busy, fmt::format("{} requests wait for other nodes", asked_.size())});
  }
  request.id = ++last_id_;
  asked_.emplace(request.id,
                 Asked{to, shard_.now() + timeout, std::move(given_up), std::move(done)});
  transport_.send(to, encode(request));
}

void NodeRequests::finish(std::uint64_t id, Result<SharedBytes> answer) {
  const auto found = asked_.find(id);
  if (found == asked_.end()) return;
  const Done done = std::move(found->second.done);
  asked_.erase(found);
  done(std::move(answer));
}

void NodeRequests::on_node_down(NodeId node) {
  std::vector<std::uint64_t> lost;
  for (const auto& [id, asked] : asked_) {
    if (asked.to == node) lost.push_back(id);
  }
  for (const std::uint64_t id : lost) {
    finish(id, Error{Errc::timeout, "the leader was lost before it answered; ask again"});
  }
}

void NodeRequests::on_tick() {
  std::vector<std::uint64_t> late;
  for (const auto& [id, asked] : asked_) {
    if (asked.deadline <= shard_.now() || asked.given_up->load()) late.push_back(id);
  }
  for (const std::uint64_t id : late) {
    finish(id, Error{Errc::timeout, "the leader did not answer in time"});
  }
}

void NodeRequests::receive(NodeId from, const SharedBytes& frame) {
  auto decoded = decode_node_frame(frame);
  // A kind that only a newer node knows: its request is over when its time is.
  if (!decoded) return;
  if (auto* request = std::get_if<NodeRequest>(&*decoded)) {
    return on_request(from, std::move(*request));
  }
  const NodeAnswer& answer = std::get<NodeAnswer>(*decoded);
  const auto found = asked_.find(answer.id);
  if (found == asked_.end() || found->second.to != from) return;
  if (answer.answered) return finish(answer.id, SharedBytes::copy_of(answer.body.view()));
  finish(answer.id, Error{Errc::busy, "the leader is too busy, or just starting or stopping"});
}

void NodeRequests::on_request(NodeId from, NodeRequest request) {
  const ApiEntry* entry = broker_ == nullptr ? nullptr : entry_of(*broker_, request.api_key);
  const std::uint64_t id = request.id;
  const bool known = entry != nullptr && entry->serves(request.version);
  if (known && !closed_ && gate_.held() < answering_max) {
    request.body = SharedBytes::copy_of(request.body.view());
    spawn(answer(from, std::move(request)), gate_);
  } else {
    transport_.send(from, encode(NodeAnswer{id, false, {}}));
  }
}

Task<void> NodeRequests::answer(NodeId from, NodeRequest request) {
  ConnectionInfo connection;
  connection.of_node = true;
  connection.peer = fmt::format("node {}", from);
  RequestContext context(*broker_, shard_, connection);
  protocol::RequestHeader header;
  header.api_key = request.api_key;
  header.api_version = request.version;
  context.start(std::move(header), shard_.now());
  answering_.insert(&context);
  const Dispatch dispatch = entry_of(*broker_, request.api_key)->dispatch;
  Task<Reply> task = dispatch(context, std::move(request.body));
  Reply reply = co_await std::move(task);
  answering_.erase(&context);
  const bool answered = reply.kind == Reply::Kind::response && reply.chain.size() == 0;
  NodeAnswer out{request.id, answered, {}};
  if (answered) out.body = SharedBytes::adopt(std::move(reply.bytes));
  transport_.send(from, encode(out));
}

Task<void> NodeRequests::close() {
  closed_ = true;
  while (!asked_.empty()) finish(asked_.begin()->first, closing());
  for (RequestContext* context : answering_) context->cancel();
  Future<void> ended = gate_.close();
  co_await ended;
}

}  // namespace chronik::broker
