// ClientNetwork: connections between clients and the nodes of a simulated cluster. Requests and
// answers of one arrive in order, late, or not at all: what follows a lost one on its connection is
// lost too, as nothing overtakes it. Owned by the Traffic.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "base/random.h"
#include "integration/sim/stage.h"

namespace chronik::sim {

class ClientNetwork {
 public:
  struct Connection {
    NodeId to = raft::no_node;
    std::uint64_t life = 0;  // of the process it leads to
    bool lost_there = false;
    bool lost_back = false;
    bool closed = false;  // by the client, who hears nothing more of it
    SteadyTime last_there{};
    SteadyTime last_back{};
    std::function<void()> on_reset;
  };
  using Handle = std::shared_ptr<Connection>;

  ClientNetwork(Stage& stage, const Plan& plan, std::uint64_t seed)
      : stage_(stage), plan_(plan), random_(seed) {}

  /// `on_reset`: the node has closed it, or is not there.
  Handle connect(NodeId to, std::function<void()> on_reset);
  /// `serve` runs at the node, unless the request is lost.
  void request(const Handle& connection, std::function<void(Node&)> serve);
  /// `take` runs at the client, unless the answer is lost or the client has closed the connection.
  void answer(const Handle& connection, std::function<void()> take);
  /// The process has ended; `others_hear`: those it was connected with.
  void on_end(NodeId id, bool others_hear);
  /// Nothing is lost from now on; the connections there are end.
  void heal();

 private:
  SteadyTime arrival(SteadyTime& last);
  bool is_lost();
  void deliver(const Handle& connection, std::function<void(Node&)> serve);
  void reset(const Handle& connection);

  Stage& stage_;
  const Plan& plan_;
  Random random_;
  bool healed_ = false;
  std::map<NodeId, std::vector<std::weak_ptr<Connection>>> connections_;
};

}  // namespace chronik::sim
