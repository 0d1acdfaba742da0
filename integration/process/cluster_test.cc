// Three processes that are one cluster: what is changed through any of them is there on all of
// them, and survives the loss of one.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <map>

#include "integration/harness/admin.h"
#include "integration/harness/cluster_processes.h"
#include "integration/harness/kafka_client.h"
#include "integration/harness/protocol_client.h"
#include "protocol/messages/create_partitions.h"
#include "protocol/messages/create_topics.h"
#include "protocol/messages/delete_topics.h"
#include "protocol/messages/list_groups.h"
#include "protocol/messages/metadata.h"

namespace chronik::integration {
namespace {

constexpr auto no_error = RD_KAFKA_RESP_ERR_NO_ERROR;

class Cluster : public ::testing::Test {
 protected:
  void SetUp() override {
    if (BrokerProcess::is_kafka()) GTEST_SKIP() << "skipped: about chronik's own cluster";
  }
  /// The error code of the answer; -1: none came.
  static int create_through(RawConnection& connection, const std::string& name, int partitions) {
    protocol::CreateTopicsRequest request;
    request.timeout_ms = 10'000;
    auto& topic = request.topics.emplace_back();
    topic.name = name;
    topic.num_partitions = partitions;
    topic.replication_factor = 1;
    const auto response = call(connection, request);
    return response ? response->topics.at(0).error_code : -1;
  }
  /// The leaders of the topic's partitions; none while it is not known.
  static std::vector<std::int32_t> leaders_by(RawConnection& connection, const std::string& name) {
    protocol::MetadataRequest request;
    request.allow_auto_topic_creation = false;
    request.topics.emplace();
    request.topics->emplace_back().name = name;
    const auto response = call(connection, request);
    std::vector<std::int32_t> leaders;
    if (!response) return leaders;
    for (const auto& partition : response->topics.at(0).partitions) {
      leaders.push_back(partition.leader_id);
    }
    return leaders;
  }
  static bool sees(ClusterProcesses& cluster, int node, const std::string& topic) {
    return eventually(
        [&] { return Admin(cluster.node(node).bootstrap()).topic(topic).error == no_error; });
  }
};

// Nothing of a cluster is there where none is configured.
TEST_F(Cluster, SingleNodeMetadata) {
  BrokerProcess broker;
  {
    Admin admin(broker.bootstrap());
    ASSERT_TRUE(admin.create_topic({.name = "t", .partitions = 3}).ok());
  }
  broker.restart_after_kill();
  EXPECT_EQ(Admin(broker.bootstrap()).topic("t").leaders, (std::vector<std::int32_t>{1, 1, 1}));
  for (const auto& file :
       std::filesystem::directory_iterator(broker.data_directory() + "/__meta-0")) {
    EXPECT_EQ(file.path().filename().string().find("raft"), std::string::npos) << file.path();
  }
  EXPECT_EQ(broker.log().find("node"), std::string::npos) << broker.log();
}

// librdkafka sends admin requests to the controller, so these go by hand.
TEST_F(Cluster, ThreeNodeTopicCreate) {
  ClusterProcesses cluster;
  for (int id = 1; id <= 3; ++id) {
    const std::string name = "by-" + std::to_string(id);
    RawConnection here(cluster.node(id).host(), cluster.node(id).port());
    ASSERT_EQ(create_through(here, name, 3), no_error);
    const std::vector<std::int32_t> leaders = leaders_by(here, name);
    EXPECT_EQ(leaders.size(), 3u) << "who asked reads what it wrote";
    for (int other = 1; other <= 3; ++other) {
      RawConnection there(cluster.node(other).host(), cluster.node(other).port());
      EXPECT_TRUE(eventually([&] { return leaders_by(there, name) == leaders; }))
          << name << " on node " << other;
      EXPECT_EQ(create_through(there, name, 1), RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS);
    }
  }
  const Outcome copies =
      Admin(cluster.node(1).bootstrap()).create_topic({.name = "copies", .replication = 4});
  EXPECT_EQ(copies.error, RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR);
}

// Kafka's brokers hand such requests to their controller, so a program may ask any of them.
TEST_F(Cluster, WhatOneNodeHasAcknowledgedTheNextOneKnows) {
  ClusterProcesses cluster;
  std::deque<RawConnection> nodes;
  for (int id = 1; id <= 3; ++id) {
    nodes.emplace_back(cluster.node(id).host(), cluster.node(id).port());
  }
  for (std::size_t round = 0; round < 300; ++round) {
    ASSERT_EQ(create_through(nodes[round % 3], "t", 1), no_error) << round;
    RawConnection& another = nodes[(round + 1 + round / 3 % 2) % 3];
    if (round % 4 == 0) {
      protocol::CreatePartitionsRequest more;
      auto& topic = more.topics.emplace_back();
      topic.name = "t";
      topic.count = 2;
      topic.assignments.reset();
      const auto added = call(another, more);
      ASSERT_TRUE(added);
      ASSERT_EQ(added->results.at(0).error_code, 0) << round;
    }
    protocol::DeleteTopicsRequest request;
    request.topics.emplace_back().name = "t";
    const auto deleted = call(another, request);
    ASSERT_TRUE(deleted);
    ASSERT_EQ(deleted->responses.at(0).error_code, 0) << round;
  }
}

TEST_F(Cluster, PartitionAssignment) {
  ClusterProcesses cluster;
  Admin admin(cluster.node(1).bootstrap());
  ASSERT_TRUE(admin.create_topic({.name = "t", .partitions = 6}).ok());
  RawConnection connection(cluster.node(1).host(), cluster.node(1).port());
  ASSERT_TRUE(eventually([&] { return leaders_by(connection, "t").size() == 6; }));
  std::map<std::int32_t, int> partitions_of;
  for (const std::int32_t leader : leaders_by(connection, "t")) ++partitions_of[leader];
  EXPECT_EQ(partitions_of, (std::map<std::int32_t, int>{{1, 2}, {2, 2}, {3, 2}}));

  // Through any one of them a client reaches all.
  Producer producer(cluster.node(2).bootstrap());
  std::vector<PartitionOffset> starts;
  for (std::int32_t partition = 0; partition < 6; ++partition) {
    EXPECT_EQ(
        producer.send({.topic = "t", .partition = partition, .value = std::to_string(partition)})
            .error,
        no_error);
    starts.push_back({"t", partition, 0});
  }
  Consumer consumer(cluster.node(3).bootstrap(), "");
  consumer.assign(starts);
  std::map<std::int32_t, std::string> read;
  for (const Message& message : consumer.consume(6)) read[message.partition] = *message.value;
  EXPECT_EQ(read, (std::map<std::int32_t, std::string>{
                      {0, "0"}, {1, "1"}, {2, "2"}, {3, "3"}, {4, "4"}, {5, "5"}}));
}

TEST_F(Cluster, MetadataRecovery) {
  ClusterProcesses cluster;
  const int led = cluster.leader(1);
  ASSERT_GT(led, 0);
  ASSERT_TRUE(
      Admin(cluster.node(led).bootstrap()).create_topic({.name = "before", .partitions = 2}).ok());
  cluster.node(led).kill();

  const int other = ClusterProcesses::other_than(led);
  const int leads = cluster.leader(other, led);
  EXPECT_NE(leads, led);
  EXPECT_GT(leads, 0);
  for (int id = 1; id <= 3; ++id) {
    if (id == led) continue;
    EXPECT_TRUE(sees(cluster, id, "before")) << "on node " << id;
  }
  Admin admin(cluster.node(other).bootstrap());
  EXPECT_TRUE(admin.create_topic({.name = "after", .partitions = 4}).ok());
  RawConnection connection(cluster.node(other).host(), cluster.node(other).port());
  EXPECT_TRUE(eventually([&] { return leaders_by(connection, "after").size() == 4; }));
  for (const std::int32_t leader : leaders_by(connection, "after")) {
    EXPECT_NE(leader, led) << "a node that is gone gets no new partition";
  }

  cluster.node(led).start();
  EXPECT_TRUE(sees(cluster, led, "before"));
  EXPECT_TRUE(sees(cluster, led, "after"));
  EXPECT_TRUE(cluster.knows(other, 3));
}

// With a node down, and topics of three replicas the default, no topic could be made. It gets its
// replicas when it is back.
TEST_F(Cluster, TopicsOfThreeReplicasAreMadeWithANodeDown) {
  ClusterProcesses cluster;
  cluster.node(3).kill();
  ASSERT_TRUE(cluster.knows(1, 2));
  Admin admin(cluster.node(1).bootstrap());
  const Outcome made = admin.create_topic({.name = "t", .partitions = 3, .replication = 3});
  ASSERT_TRUE(made.ok()) << made.message;
  const Outcome grown = admin.create_partitions("t", 4);
  ASSERT_TRUE(grown.ok()) << grown.message;
  Producer producer(cluster.node(2).bootstrap(), {{"acks", "all"}});
  for (int partition = 0; partition < 4; ++partition) {
    EXPECT_EQ(producer.send({.topic = "t", .partition = partition, .value = "kept"}).error,
              no_error);
  }

  cluster.node(3).start();
  EXPECT_TRUE(eventually([&] {
    RawConnection connection(cluster.node(3).host(), cluster.node(3).port());
    protocol::MetadataRequest request;
    request.topics.emplace().emplace_back().name = "t";
    const auto response = call(connection, request);
    if (!response || response->topics.at(0).partitions.size() != 4) return false;
    return std::ranges::all_of(response->topics.at(0).partitions,
                               [](const auto& one) { return one.isr_nodes == one.replica_nodes; });
  })) << "the node that was away has no replica in sync";
}

// A clean stop hands the leadership over; the whole cluster finds itself again after all were
// killed.
TEST_F(Cluster, NothingIsLostWhenAllNodesAreStartedAgain) {
  ClusterProcesses cluster;
  ASSERT_TRUE(Admin(cluster.node(1).bootstrap()).create_topic({.name = "t"}).ok());
  const std::string cluster_id = Admin(cluster.node(1).bootstrap()).cluster_id();
  EXPECT_EQ(cluster.node(cluster.leader(1)).stop(), 0);
  for (int id = 1; id <= 3; ++id) cluster.node(id).kill();
  for (int id = 1; id <= 3; ++id) cluster.node(id).launch();
  for (int id = 1; id <= 3; ++id) {
    EXPECT_TRUE(sees(cluster, id, "t")) << "on node " << id;
    EXPECT_EQ(Admin(cluster.node(id).bootstrap()).cluster_id(), cluster_id);
  }
}

TEST_F(Cluster, ConsumerGroupReplication) {
  ClusterProcesses cluster;
  const int coordinator = cluster.leader(1);
  ASSERT_GT(coordinator, 0);
  const int survivor = ClusterProcesses::other_than(coordinator);
  Admin admin(cluster.node(survivor).bootstrap());
  ASSERT_TRUE(admin.create_topic({.name = "t", .partitions = 3}).ok());
  Consumer consumer(cluster.node(survivor).bootstrap(), "g");
  consumer.subscribe({"t"});
  ASSERT_TRUE(consumer.wait_for_partitions(3));
  ASSERT_EQ(consumer.commit({{"t", 0, 10}, {"t", 1, 11}, {"t", 2, 12}}), no_error);

  // Who wants all groups asks all nodes: one lists it, and the others do not spoil that.
  for (int id = 1; id <= 3; ++id) {
    RawConnection connection(cluster.node(id).host(), cluster.node(id).port());
    const auto listed = call(connection, protocol::ListGroupsRequest{});
    ASSERT_TRUE(listed);
    EXPECT_EQ(listed->error_code, 0) << "node " << id;
    EXPECT_EQ(listed->groups.size(), id == coordinator ? 1u : 0u) << "node " << id;
  }

  cluster.node(coordinator).kill();
  ASSERT_GT(cluster.leader(survivor, coordinator), 0);
  // The offsets are there, the member is still one, and goes on under the new coordinator.
  EXPECT_TRUE(eventually([&] { return admin.committed("g").size() == 3; }));
  std::map<std::int32_t, std::int64_t> offsets;
  for (const PartitionOffset& offset : admin.committed("g")) {
    offsets[offset.partition] = offset.offset;
  }
  EXPECT_EQ(offsets, (std::map<std::int32_t, std::int64_t>{{0, 10}, {1, 11}, {2, 12}}));
  EXPECT_TRUE(eventually([&] {
    consumer.poll(std::chrono::milliseconds(10));
    return consumer.commit({{"t", 0, 20}, {"t", 1, 21}, {"t", 2, 22}}) == no_error;
  }));
  EXPECT_EQ(admin.describe_group("g").members.size(), 1u);
}

}  // namespace
}  // namespace chronik::integration
