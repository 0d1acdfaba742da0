// NodeRequests: what this node asks other nodes for its clients, and what it answers to them
// (net/node_request.h): requests that the leader of the metadata alone can answer, and what the
// leader of a partition tells or asks the followers.
// Owned by ClusterMember; on its shard.
#pragma once

#include <map>
#include <memory>
#include <set>

#include "broker/api/context.h"
#include "broker/api/quorum.h"
#include "broker/net/node_request.h"
#include "broker/net/peer_transport.h"
#include "broker/runtime/gate.h"

namespace chronik::broker {

class NodeRequests {
 public:
  NodeRequests(Shard& shard, PeerTransport& transport) : shard_(shard), transport_(transport) {}

  /// From here on other nodes get answers, by the handlers of `broker`, which outlives close().
  void serve(Broker& broker) { broker_ = &broker; }

  /// The answer of `to`. Errors: timeout (also where it is not connected), busy (as here, so
  /// there), closed.
  Task<Result<SharedBytes>> ask(NodeId to, NodeRequest request, milliseconds timeout,
                                GivenUp given_up);

  /// The same; `done` may come before it returns.
  using Done = std::function<void(Result<SharedBytes>)>;
  void ask(NodeId to, NodeRequest request, milliseconds timeout, GivenUp given_up, Done done);

  void receive(NodeId from, const SharedBytes& frame);
  void on_node_down(NodeId node);
  /// Ends what took too long. Now and then.
  void on_tick();
  /// All that is under way ends; nothing begins any more.
  Task<void> close();

 private:
  struct Asked {
    NodeId to = -1;
    SteadyTime deadline;
    GivenUp given_up;
    Done done;
  };

  void finish(std::uint64_t id, Result<SharedBytes> answer);
  void on_request(NodeId from, NodeRequest request);
  Task<void> answer(NodeId from, NodeRequest request);

  Shard& shard_;
  PeerTransport& transport_;
  Broker* broker_ = nullptr;
  std::uint64_t last_id_ = 0;
  std::map<std::uint64_t, Asked> asked_;
  std::set<RequestContext*> answering_;
  Gate gate_;
  bool closed_ = false;
};

}  // namespace chronik::broker
