#include "integration/kill/cluster_view.h"

#include <fmt/format.h>

#include <optional>

#include "integration/harness/protocol_client.h"
#include "protocol/messages/describe_quorum.h"
#include "protocol/messages/incremental_alter_configs.h"
#include "protocol/messages/list_partition_reassignments.h"
#include "protocol/messages/metadata.h"

namespace chronik::integration {

namespace {

constexpr std::int8_t topic_resource = 2;
// A node that stands still does not.
constexpr std::chrono::milliseconds answers_within{2'000};
using Topic = protocol::MetadataResponse::MetadataResponseTopic;

std::optional<Topic> describe(const BrokerProcess& node, const std::string& topic) {
  RawConnection connection(node.host(), node.port());
  if (!connection.connected()) return std::nullopt;
  protocol::MetadataRequest request;
  request.allow_auto_topic_creation = false;
  request.topics.emplace().emplace_back().name = topic;
  const auto response = call(connection, request, request.max_version, answers_within);
  if (!response || response->topics.size() != 1) return std::nullopt;
  return response->topics.front();
}

/// Of the partitions that move; nothing: no answer.
std::optional<std::size_t> count_moves(const BrokerProcess& node) {
  RawConnection connection(node.host(), node.port());
  if (!connection.connected()) return std::nullopt;
  const auto response = call(connection, protocol::ListPartitionReassignmentsRequest());
  if (!response || response->error_code != 0) return std::nullopt;
  return response->topics.size();
}

std::size_t count_voters(const BrokerProcess& node) {
  RawConnection connection(node.host(), node.port());
  if (!connection.connected()) return 0;
  protocol::DescribeQuorumRequest request;
  auto& topic = request.topics.emplace_back();
  topic.topic_name = "__cluster_metadata";
  topic.partitions.emplace_back();
  const auto response = call(connection, request);
  if (!response || response->error_code != 0) return 0;
  return response->topics.at(0).partitions.at(0).current_voters.size();
}

}  // namespace

std::vector<int> ClusterView::leaders() {
  for (int id = 1; id <= cluster_.count(); ++id) {
    const std::optional<Topic> topic = describe(cluster_.node(id), topic_);
    if (!topic || topic->partitions.empty()) continue;
    std::vector<int> leaders(topic->partitions.size(), -1);
    for (const auto& partition : topic->partitions) {
      leaders.at(static_cast<std::size_t>(partition.partition_index)) = partition.leader_id;
    }
    return leaders;
  }
  return {};
}

std::vector<std::vector<std::int32_t>> ClusterView::replicas() {
  for (int id = 1; id <= cluster_.count(); ++id) {
    const std::optional<Topic> topic = describe(cluster_.node(id), topic_);
    if (!topic || topic->partitions.empty()) continue;
    std::vector<std::vector<std::int32_t>> replicas(topic->partitions.size());
    for (const auto& partition : topic->partitions) {
      replicas.at(static_cast<std::size_t>(partition.partition_index)) = partition.replica_nodes;
    }
    return replicas;
  }
  return {};
}

std::string ClusterView::missing_by(int node) {
  const std::optional<Topic> topic = describe(cluster_.node(node), topic_);
  if (!topic) return fmt::format("node {} does not answer", node);
  for (const auto& partition : topic->partitions) {
    const std::size_t replicas = partition.replica_nodes.size();
    if (partition.leader_id > 0 && replicas > 0 && partition.isr_nodes.size() == replicas) continue;
    return fmt::format("node {} says of partition {} of {}: leader {}, on {}, in sync {}", node,
                       partition.partition_index, topic_, partition.leader_id,
                       fmt::join(partition.replica_nodes, ", "),
                       fmt::join(partition.isr_nodes, ", "));
  }
  if (const auto moves = count_moves(cluster_.node(node)); moves != 0u) {
    return moves ? fmt::format("node {} says that partitions of {} topics move", node, *moves)
                 : fmt::format("node {} does not answer", node);
  }
  const std::size_t voters = count_voters(cluster_.node(node));
  if (voters == static_cast<std::size_t>(cluster_.voters())) return {};
  return fmt::format("node {} knows {} voters of the metadata", node, voters);
}

std::string ClusterView::missing() {
  for (int id = 1; id <= cluster_.count(); ++id) {
    if (std::string what = missing_by(id); !what.empty()) return what;
  }
  return {};
}

bool ClusterView::passes(int node) {
  RawConnection connection(cluster_.node(node).host(), cluster_.node(node).port());
  if (!connection.connected()) return false;
  protocol::IncrementalAlterConfigsRequest request;
  auto& resource = request.resources.emplace_back();
  resource.resource_type = topic_resource;
  resource.resource_name = topic_;
  auto& config = resource.configs.emplace_back();
  config.name = "retention.ms";
  config.value = std::to_string(++change_);
  const auto response = call(connection, request);
  return response && response->responses.size() == 1 && response->responses[0].error_code == 0;
}

}  // namespace chronik::integration
