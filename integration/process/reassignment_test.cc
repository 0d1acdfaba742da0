// Replicas of partitions that move to other nodes while clients write (KIP-455), and preferred
// leaders (KIP-460).
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <thread>

#include "integration/harness/admin.h"
#include "integration/harness/cluster_processes.h"
#include "integration/harness/kafka_client.h"
#include "integration/harness/one_partition.h"
#include "integration/harness/protocol_client.h"
#include "integration/kill/stored_partitions.h"
#include "protocol/errors.h"
#include "protocol/messages/alter_partition_reassignments.h"
#include "protocol/messages/delete_records.h"
#include "protocol/messages/elect_leaders.h"
#include "protocol/messages/incremental_alter_configs.h"
#include "protocol/messages/list_partition_reassignments.h"

namespace chronik::integration {
namespace {

using protocol::ErrorCode;
using Replicas = std::vector<std::int32_t>;

constexpr auto no_error = RD_KAFKA_RESP_ERR_NO_ERROR;

class ReassignmentTest : public ::testing::Test {
 protected:
  static constexpr int nodes = ClusterProcesses::size;

  void SetUp() override {
    if (BrokerProcess::is_kafka()) GTEST_SKIP() << "skipped: about chronik's own cluster";
  }
  /// Nothing: back to where they were.
  static ErrorCode reassign(const BrokerProcess& node, std::optional<Replicas> replicas) {
    RawConnection connection(node.host(), node.port());
    protocol::AlterPartitionReassignmentsRequest request;
    auto& topic = request.topics.emplace_back();
    topic.name = "t";
    topic.partitions.push_back({0, std::move(replicas)});
    const auto response = call(connection, request);
    if (!response) return ErrorCode::unknown_server_error;
    return static_cast<ErrorCode>(response->responses.at(0).partitions.at(0).error_code);
  }
  static std::size_t under_way(const BrokerProcess& node) {
    RawConnection connection(node.host(), node.port());
    const auto response = call(connection, protocol::ListPartitionReassignmentsRequest());
    return response ? response->topics.size() : 99;
  }
  /// As all nodes say: they have the replicas, the first one leads, and all are in sync.
  static ::testing::AssertionResult is_on(ClusterProcesses& cluster, const Replicas& replicas) {
    std::string last;
    const bool is_so = eventually([&] {
      for (int id = 1; id <= nodes; ++id) {
        const auto found = describe_partition(cluster.node(id));
        if (!found) return false;
        last = fmt::format("node {} says: on {}, {} leads, in sync {}", id,
                           fmt::join(found->replica_nodes, " "), found->leader_id,
                           fmt::join(found->isr_nodes, " "));
        if (found->replica_nodes != replicas) return false;
        if (found->leader_id != replicas.front()) return false;
        if (found->isr_nodes.size() != replicas.size()) return false;
      }
      return true;
    });
    return is_so ? ::testing::AssertionSuccess() : ::testing::AssertionFailure() << last;
  }
  static bool has_directory(ClusterProcesses& cluster, int node) {
    return std::filesystem::exists(cluster.node(node).data_directory() + "/t-0");
  }
  /// Groups that a node has left and knows of.
  static int remembered(ClusterProcesses& cluster, int node) {
    const std::string place = cluster.node(node).data_directory() + "/chronik.left";
    std::error_code none;
    int groups = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(place, none)) {
      ++groups;
    }
    return groups;
  }
  static protocol::DeleteRecordsResponse::DeleteRecordsPartitionResult delete_before(
      const BrokerProcess& leader, std::int64_t offset) {
    RawConnection connection(leader.host(), leader.port());
    protocol::DeleteRecordsRequest request;
    request.timeout_ms = 20'000;
    auto& topic = request.topics.emplace_back();
    topic.name = "t";
    topic.partitions.push_back({0, offset});
    const auto response = call(connection, request);
    return response ? response->topics.at(0).partitions.at(0)
                    : protocol::DeleteRecordsResponse::DeleteRecordsPartitionResult();
  }
  static void set_config(const BrokerProcess& node, std::int8_t type, const std::string& resource,
                         const std::string& name, const std::string& value) {
    RawConnection connection(node.host(), node.port());
    protocol::IncrementalAlterConfigsRequest request;
    auto& changed = request.resources.emplace_back();
    changed.resource_type = type;
    changed.resource_name = resource;
    auto& config = changed.configs.emplace_back();
    config.name = name;
    config.value = value;
    const auto response = call(connection, request);
    ASSERT_TRUE(response);
    ASSERT_EQ(response->responses.at(0).error_code, 0) << *response->responses[0].error_message;
  }
  /// The throttle of leaders, or of followers (`side`), for all replicas of "t" on all nodes.
  static void throttle(ClusterProcesses& cluster, const std::string& side, std::int64_t rate) {
    const std::string prefix = side + ".replication.throttled.";
    set_config(cluster.node(1), /*topic*/ 2, "t", prefix + "replicas", "*");
    for (int id = 1; id <= nodes; ++id) {
      set_config(cluster.node(id), /*broker*/ 4, std::to_string(id), prefix + "rate",
                 std::to_string(rate));
    }
  }
  static void produce(ClusterProcesses& cluster, int count) {
    Producer producer(cluster.bootstrap(), careful());
    for (int i = 0; i < count; ++i) producer.produce("t", 0, std::to_string(i));
    ASSERT_TRUE(producer.flush());
    ASSERT_EQ(producer.failures(), 0u);
  }
  static ClientConfig careful() {
    return {{"enable.idempotence", "true"}, {"acks", "all"}, {"message.timeout.ms", "60000"}};
  }

  /// The partition has the numbers from 0 to `acknowledged`, once each and in order.
  static void expect_counted(const ClusterProcesses& cluster, int acknowledged) {
    EXPECT_GT(acknowledged, 0);
    Consumer consumer(cluster.bootstrap(), "");
    consumer.assign({{"t", 0, 0}});
    const std::vector<Message> got = consumer.consume(static_cast<std::size_t>(acknowledged));
    ASSERT_EQ(got.size(), static_cast<std::size_t>(acknowledged));
    for (int i = 0; i < acknowledged; ++i) {
      ASSERT_EQ(got[static_cast<std::size_t>(i)].value, std::to_string(i));
    }
  }
};

TEST_F(ReassignmentTest, ReplicasMoveWhileClientsWriteAndNothingIsLost) {
  ClusterProcesses cluster;
  create_partition(cluster.node(1), {1, 2});
  std::atomic<bool> stop = false;
  int acknowledged = 0;
  std::thread writer([&] {
    Producer producer(cluster.bootstrap(), careful());
    for (; !stop; ++acknowledged) {
      const Message sent = producer.send({.topic = "t", .value = std::to_string(acknowledged)});
      ASSERT_EQ(sent.error, no_error) << rd_kafka_err2name(sent.error);
      ASSERT_EQ(sent.offset, acknowledged);
    }
  });
  const std::vector<Replicas> places{{2, 3}, {3, 1}, {1, 2, 3}, {2}, {1, 3}};
  for (const Replicas& place : places) {
    EXPECT_EQ(reassign(cluster.node(1 + place.front() % nodes), place), ErrorCode::none);
    EXPECT_TRUE(is_on(cluster, place)) << "to " << place.front();
    EXPECT_TRUE(eventually([&] { return under_way(cluster.node(1)) == 0; }));
    for (int id = 1; id <= nodes; ++id) {
      const bool wanted = std::ranges::find(place, id) != place.end();
      EXPECT_TRUE(eventually([&] { return has_directory(cluster, id) == wanted; })) << id;
    }
  }
  stop = true;
  writer.join();
  expect_counted(cluster, acknowledged);
  // Node 2 remembers that it was there, as long as the topic is.
  EXPECT_EQ(remembered(cluster, 2), 1);
  cluster.node(3).kill();
  EXPECT_TRUE(Admin(cluster.node(1).bootstrap()).delete_topic("t").ok());
  EXPECT_TRUE(eventually([&] { return remembered(cluster, 2) == 0; }));
  cluster.node(3).start();
  EXPECT_TRUE(eventually([&] { return remembered(cluster, 3) == 0; }));
}

// The node that is to come is away: the move waits for it, and can be taken back.
TEST_F(ReassignmentTest, AMoveCanBeTakenBack) {
  ClusterProcesses cluster;
  create_partition(cluster.node(1), {1, 2});
  EXPECT_EQ(reassign(cluster.node(1), std::nullopt), ErrorCode::no_reassignment_in_progress);
  ASSERT_TRUE(is_on(cluster, {1, 2}));
  cluster.node(3).kill();
  EXPECT_EQ(reassign(cluster.node(2), Replicas{2, 3}), ErrorCode::none);
  EXPECT_TRUE(eventually([&] { return under_way(cluster.node(1)) == 1; }));
  EXPECT_EQ(describe_partition(cluster.node(1))->replica_nodes, (Replicas{2, 3, 1}));
  Producer producer(cluster.bootstrap(), careful());
  EXPECT_EQ(producer.send({.topic = "t", .value = "meanwhile"}).error, no_error);
  EXPECT_EQ(reassign(cluster.node(1), std::nullopt), ErrorCode::none);
  EXPECT_TRUE(eventually([&] { return under_way(cluster.node(2)) == 0; }));
  cluster.node(3).start();
  // Their order is that of the move, as Kafka leaves it.
  EXPECT_TRUE(is_on(cluster, {2, 1}));
  EXPECT_TRUE(eventually([&] { return !has_directory(cluster, 3); }));
}

TEST_F(ReassignmentTest, AMoveGoesOnAfterAllNodesWereKilled) {
  ClusterProcesses cluster;
  create_partition(cluster.node(1), {1, 2});
  {
    Producer producer(cluster.bootstrap(), careful());
    for (int i = 0; i < 1000; ++i) producer.produce("t", 0, std::string(1000, 'x'));
    ASSERT_TRUE(producer.flush());
  }
  EXPECT_EQ(reassign(cluster.node(1), Replicas{3, 2}), ErrorCode::none);
  for (int id = 1; id <= nodes; ++id) cluster.node(id).kill();
  cluster.launch();
  EXPECT_TRUE(is_on(cluster, {3, 2}));
  Consumer consumer(cluster.bootstrap(), "");
  consumer.assign({{"t", 0, 0}});
  EXPECT_EQ(consumer.consume(1000).size(), 1000u);
  EXPECT_TRUE(eventually([&] { return !has_directory(cluster, 1); }));
}

TEST_F(ReassignmentTest, WhatCannotBeIsRefused) {
  ClusterProcesses cluster;
  create_partition(cluster.node(1), {1, 2});
  const auto refused = ErrorCode::invalid_replica_assignment;
  EXPECT_EQ(reassign(cluster.node(1), Replicas{}), refused);
  EXPECT_EQ(reassign(cluster.node(1), Replicas{1, 1}), refused);
  EXPECT_EQ(reassign(cluster.node(1), Replicas{1, 9}), refused);
  RawConnection connection(cluster.node(1).host(), cluster.node(1).port());
  protocol::AlterPartitionReassignmentsRequest request;
  request.topics.push_back({"t", {{1, Replicas{1, 2}}}});
  const auto response = call(connection, request);
  ASSERT_TRUE(response);
  const auto& answers = response->responses.at(0).partitions;
  EXPECT_EQ(answers.at(0).error_code, protocol::to_wire(ErrorCode::unknown_topic_or_partition));
  EXPECT_EQ(under_way(cluster.node(1)), 0u);
}

// What an operator does with a topic of one replica: others are added while clients use it, and the
// node that had it alone is lost. At the end it is one of one replica again, on another node.
TEST_F(ReassignmentTest, AReplicaThatWasAloneGetsOthersAndItsNodeIsLost) {
  ClusterProcesses cluster;
  create_partition(cluster.node(1), {1});
  std::atomic<bool> stop = false;
  int acknowledged = 0;
  std::thread writer([&] {
    Producer producer(cluster.bootstrap(), careful());
    for (; !stop; ++acknowledged) {
      const Message sent = producer.send({.topic = "t", .value = std::to_string(acknowledged)});
      ASSERT_EQ(sent.error, no_error) << rd_kafka_err2name(sent.error);
      ASSERT_EQ(sent.offset, acknowledged);
    }
  });
  EXPECT_EQ(reassign(cluster.node(2), Replicas{1, 2, 3}), ErrorCode::none);
  EXPECT_TRUE(is_on(cluster, {1, 2, 3}));
  EXPECT_TRUE(eventually([&] { return under_way(cluster.node(2)) == 0; }));
  cluster.node(1).kill();
  EXPECT_TRUE(eventually([&] {
    const auto found = describe_partition(cluster.node(2));
    return found && found->leader_id > 1;
  }));
  cluster.node(1).start();
  EXPECT_TRUE(is_on(cluster, {1, 2, 3}));
  for (const Replicas& place : {Replicas{3}, Replicas{2, 1}}) {
    EXPECT_EQ(reassign(cluster.node(2), place), ErrorCode::none);
    EXPECT_TRUE(is_on(cluster, place)) << "to " << place.front();
  }
  stop = true;
  writer.join();
  expect_counted(cluster, acknowledged);
}

// The change is applied, and the log may or may not have been taken on.
TEST_F(ReassignmentTest, AReplicaThatWasAloneMovesAlthoughAllNodesAreKilled) {
  ClusterProcesses cluster;
  create_partition(cluster.node(1), {1});
  produce(cluster, 1000);
  ASSERT_EQ(delete_before(cluster.node(1), 100).low_watermark, 100);
  EXPECT_EQ(reassign(cluster.node(3), Replicas{2}), ErrorCode::none);
  for (int id = 1; id <= nodes; ++id) cluster.node(id).kill();
  cluster.launch();
  EXPECT_TRUE(is_on(cluster, {2}));
  EXPECT_TRUE(eventually([&] { return !has_directory(cluster, 1); }));
  Consumer consumer(cluster.bootstrap(), "");
  EXPECT_EQ(consumer.watermarks("t", 0), (std::pair<std::int64_t, std::int64_t>{100, 1000}));
  consumer.assign({{"t", 0, 100}});
  const std::vector<Message> got = consumer.consume(900);
  ASSERT_EQ(got.size(), 900u);
  for (int i = 0; i < 900; ++i) {
    ASSERT_EQ(got[static_cast<std::size_t>(i)].value, std::to_string(i + 100));
  }
}

TEST_F(ReassignmentTest, AMoveIsHeldToItsThrottleWhichCanBeRaisedWhileClientsWrite) {
  using Clock = std::chrono::steady_clock;
  constexpr std::size_t records = 8'000;
  ClusterProcesses cluster;
  create_partition(cluster.node(1), {1, 2});
  Producer producer(cluster.bootstrap(), careful());
  const std::string value(1'000, 'x');
  for (std::size_t i = 0; i < records; ++i) producer.produce("t", 0, value);
  ASSERT_TRUE(producer.flush());
  throttle(cluster, "leader", 2'000'000);
  const Clock::time_point begin = Clock::now();
  EXPECT_EQ(reassign(cluster.node(1), Replicas{2, 3}), ErrorCode::none);
  EXPECT_TRUE(is_on(cluster, {2, 3}));
  // Four seconds' worth, of which one may have been saved up.
  EXPECT_GT(Clock::now() - begin, std::chrono::milliseconds(2'800));

  throttle(cluster, "leader", 100'000'000);
  throttle(cluster, "follower", 20'000);
  EXPECT_EQ(reassign(cluster.node(1), Replicas{2, 1}), ErrorCode::none);
  constexpr std::size_t meanwhile = 300;
  for (std::size_t i = 0; i < meanwhile; ++i) {
    ASSERT_EQ(producer.send({.topic = "t", .value = value}).error, no_error);
  }
  EXPECT_EQ(under_way(cluster.node(1)), 1u);
  EXPECT_EQ(describe_partition(cluster.node(2))->isr_nodes.size(), 2u);
  throttle(cluster, "follower", 50'000'000);
  EXPECT_TRUE(is_on(cluster, {2, 1}));
  Consumer consumer(cluster.bootstrap(), "");
  consumer.assign({{"t", 0, 0}});
  EXPECT_EQ(consumer.consume(records + meanwhile).size(), records + meanwhile);
}

TEST_F(ReassignmentTest, ThePreferredLeaderIsElected) {
  ClusterProcesses cluster;
  create_partition(cluster.node(1), {1, 2, 3});
  ASSERT_TRUE(is_on(cluster, {1, 2, 3}));
  const auto elect = [&](int asked, std::int32_t timeout_ms) {
    RawConnection connection(cluster.node(asked).host(), cluster.node(asked).port());
    protocol::ElectLeadersRequest request;
    request.topic_partitions->push_back({"t", {0}});
    request.timeout_ms = timeout_ms;
    const auto response = call(connection, request);
    if (!response) return ErrorCode::unknown_server_error;
    return static_cast<ErrorCode>(
        response->replica_election_results.at(0).partition_result.at(0).error_code);
  };
  EXPECT_EQ(elect(2, 10'000), ErrorCode::election_not_needed);
  cluster.node(1).kill();
  ASSERT_TRUE(eventually([&] { return describe_partition(cluster.node(2))->leader_id > 1; }));
  EXPECT_EQ(elect(2, 10'000), ErrorCode::preferred_leader_not_available);
  cluster.node(1).start();
  // At first it is out of reach.
  ErrorCode elected = ErrorCode::none;
  EXPECT_TRUE(eventually([&] {
    elected = elect(2, 20'000);
    return elected != ErrorCode::preferred_leader_not_available;
  }));
  EXPECT_TRUE(elected == ErrorCode::none || elected == ErrorCode::election_not_needed)
      << static_cast<int>(elected);
  EXPECT_EQ(describe_partition(cluster.node(2))->leader_id, 1);
}

TEST_F(ReassignmentTest, DeletedRecordsStayDeletedWhoeverLeads) {
  ClusterProcesses cluster;
  create_partition(cluster.node(1), {1, 2, 3});
  ASSERT_TRUE(is_on(cluster, {1, 2, 3}));
  produce(cluster, 100);
  EXPECT_EQ(delete_before(cluster.node(1), 60).low_watermark, 60);
  cluster.node(1).kill();
  ASSERT_TRUE(eventually([&] { return describe_partition(cluster.node(2))->leader_id > 1; }));
  EXPECT_EQ(Consumer(cluster.bootstrap(), "").watermarks("t", 0).first, 60);

  // Who was away hears of it when it is back.
  const int leader = describe_partition(cluster.node(2))->leader_id;
  EXPECT_EQ(delete_before(cluster.node(leader), 80).low_watermark, 80);
  cluster.node(1).start();
  ASSERT_TRUE(is_on(cluster, {1, 2, 3}));
  EXPECT_EQ(Consumer(cluster.bootstrap(), "").watermarks("t", 0).first, 80);
}

}  // namespace
}  // namespace chronik::integration
