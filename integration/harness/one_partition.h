// Partition 0 of the topic "t", of which tests of replicas are about: made on chosen nodes, and as
// a node describes it.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "integration/harness/broker_process.h"
#include "integration/harness/protocol_client.h"
#include "protocol/messages/create_topics.h"
#include "protocol/messages/metadata.h"

namespace chronik::integration {

using DescribedPartition = protocol::MetadataResponse::MetadataResponsePartition;

/// Asks `node`; the first of the replicas leads.
inline void create_partition(const BrokerProcess& node, const std::vector<std::int32_t>& replicas) {
  RawConnection connection(node.host(), node.port());
  protocol::CreateTopicsRequest request;
  auto& topic = request.topics.emplace_back();
  topic.name = "t";
  topic.num_partitions = -1;
  topic.replication_factor = -1;
  topic.assignments.push_back({0, replicas});
  const auto response = call(connection, request);
  ASSERT_TRUE(response);
  ASSERT_EQ(response->topics.at(0).error_code, 0) << *response->topics[0].error_message;
}

/// Nothing: the node does not answer, or does not know it.
inline std::optional<DescribedPartition> describe_partition(const BrokerProcess& node) {
  RawConnection connection(node.host(), node.port());
  if (!connection.connected()) return std::nullopt;
  protocol::MetadataRequest request;
  request.topics.emplace().emplace_back().name = "t";
  const auto response = call(connection, request);
  if (!response || response->topics.size() != 1) return std::nullopt;
  if (response->topics[0].partitions.size() != 1) return std::nullopt;
  return response->topics[0].partitions[0];
}

}  // namespace chronik::integration
