#include "integration/harness/cluster_processes.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <thread>

#include "integration/harness/protocol_client.h"
#include "protocol/messages/describe_quorum.h"
#include "protocol/messages/metadata.h"

namespace chronik::integration {

namespace {

/// Asked over a bare connection: a client of librdkafka that is ended while a node that it has just
/// learned of comes or goes may abort the process (its issue 3608).
std::size_t count_brokers(const BrokerProcess& node) {
  RawConnection connection(node.host(), node.port());
  protocol::MetadataRequest request;
  request.topics.emplace();
  const auto response = call(connection, request);
  return response ? response->brokers.size() : 0;
}

/// As the leader itself says it. -1: there is none.
int leader_by(const BrokerProcess& node) {
  RawConnection connection(node.host(), node.port());
  protocol::DescribeQuorumRequest request;
  auto& topic = request.topics.emplace_back();
  topic.topic_name = "__cluster_metadata";
  topic.partitions.emplace_back();
  const auto response = call(connection, request);
  if (!response || response->error_code != 0) return -1;
  return response->topics.at(0).partitions.at(0).leader_id;
}

}  // namespace

bool eventually(const std::function<bool()>& is_so, std::chrono::milliseconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!is_so()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

ClusterProcesses::ClusterProcesses(NotStarted, const Settings& settings, const NodeNetwork* network,
                                   int observers, int nodes)
    : observers_(observers) {
  std::string list;
  for (int id = 1; id <= nodes; ++id) {
    Settings own = settings;
    own["node.id"] = std::to_string(id);
    const std::string host = network != nullptr ? network->host(id) : "";
    auto& node = nodes_.emplace_back(
        std::make_unique<BrokerProcess>(BrokerProcess::NotStarted{host}, std::move(own)));
    if (network != nullptr) node->set_wrapper(network->wrapper(id));
    list += fmt::format("{}{}@{}:9192{}", id == 1 ? "" : ",", id, node->host(),
                        id > nodes - observers ? "/observer" : "");
  }
  for (auto& node : nodes_) {
    node->settings()["cluster.nodes"] = list;
    node->settings()["cluster.listeners"] = node->host() + ":9192";
  }
}

ClusterProcesses::ClusterProcesses(const Settings& settings)
    : ClusterProcesses(NotStarted{}, settings) {
  launch();
  for (int id = 1; id <= size; ++id) {
    EXPECT_TRUE(knows(id, size)) << "node " << id << " says:\n" << node(id).log();
  }
}

void ClusterProcesses::launch() {
  for (auto& node : nodes_) {
    if (!node->running()) node->launch();
  }
}

std::string ClusterProcesses::bootstrap() const {
  std::string all;
  for (const auto& node : nodes_) all += (all.empty() ? "" : ",") + node->bootstrap();
  return all;
}

int ClusterProcesses::leader(int asked, int not_this) {
  int leader = -1;
  eventually([&] {
    leader = leader_by(node(asked));
    return leader > 0 && leader != not_this;
  });
  return leader;
}

bool ClusterProcesses::knows(int asked, int count, std::chrono::milliseconds limit) {
  return eventually([&] { return count_brokers(node(asked)) == static_cast<std::size_t>(count); },
                    limit);
}

}  // namespace chronik::integration
