#include "integration/sim/client_network.h"

#include <algorithm>
#include <utility>

namespace chronik::sim {

ClientNetwork::Handle ClientNetwork::connect(NodeId to, std::function<void()> on_reset) {
  auto connection = std::make_shared<Connection>();
  connection->to = to;
  connection->life = stage_.life(to);
  connection->on_reset = std::move(on_reset);
  std::vector<std::weak_ptr<Connection>>& known = connections_[to];
  std::erase_if(known, [](const auto& each) { return each.expired(); });
  known.push_back(connection);
  return connection;
}

SteadyTime ClientNetwork::arrival(SteadyTime& last) {
  SteadyTime at = stage_.now() + milliseconds(1);
  if (!healed_) {
    const auto& network = plan_.network;
    const auto spread = static_cast<std::uint64_t>((network.delay_max - network.delay_min).count());
    at += network.delay_min + milliseconds(random_.below(spread + 1));
  }
  last = std::max(last, at);
  return last;
}

bool ClientNetwork::is_lost() {
  return !healed_ && plan_.client_loses_one_in != 0 && random_.one_in(plan_.client_loses_one_in);
}

void ClientNetwork::request(const Handle& connection, std::function<void(Node&)> serve) {
  connection->lost_there = connection->lost_there || is_lost();
  if (connection->lost_there) return;
  const SteadyTime at = arrival(connection->last_there);
  stage_.at(std::chrono::duration_cast<milliseconds>(at - stage_.now()),
            [this, connection, serve = std::move(serve)]() mutable {
              deliver(connection, std::move(serve));
            });
}

void ClientNetwork::deliver(const Handle& connection, std::function<void(Node&)> serve) {
  Node& node = stage_.node(connection->to);
  if (!node.serves() || stage_.life(connection->to) != connection->life) {
    // Its machine may be off, which answers nobody.
    if (healed_ || random_.below(100) < 80) reset(connection);
    return;
  }
  if (node.paused()) {
    const SteadyTime until = node.paused_until();
    stage_.at(std::chrono::ceil<milliseconds>(until - stage_.now()),
              [this, connection, serve = std::move(serve)]() mutable {
                deliver(connection, std::move(serve));
              });
    return;
  }
  serve(node);
  stage_.happened(connection->to);
}

void ClientNetwork::answer(const Handle& connection, std::function<void()> take) {
  connection->lost_back = connection->lost_back || is_lost();
  if (connection->lost_back) return;
  const SteadyTime at = arrival(connection->last_back);
  stage_.at(std::chrono::duration_cast<milliseconds>(at - stage_.now()),
            [connection, take = std::move(take)] {
              if (!connection->closed) take();
            });
}

void ClientNetwork::reset(const Handle& connection) {
  const SteadyTime at = arrival(connection->last_back);
  stage_.at(std::chrono::duration_cast<milliseconds>(at - stage_.now()), [connection] {
    if (!std::exchange(connection->closed, true)) connection->on_reset();
  });
}

void ClientNetwork::on_end(NodeId id, bool others_hear) {
  for (const auto& each : std::exchange(connections_[id], {})) {
    if (const Handle connection = each.lock(); connection && others_hear) reset(connection);
  }
}

void ClientNetwork::heal() {
  healed_ = true;
  for (auto& [id, connections] : std::exchange(connections_, {})) {
    for (const auto& each : connections) {
      if (const Handle connection = each.lock()) reset(connection);
    }
  }
}

}  // namespace chronik::sim
