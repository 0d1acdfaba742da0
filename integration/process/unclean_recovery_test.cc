// A partition that has lost the majority of its replicas for good: five nodes, so that the metadata
// still has one, and what an administrator can do (KIP-460, chronik cluster recover).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "integration/harness/cluster_processes.h"
#include "integration/harness/kafka_client.h"
#include "integration/harness/one_partition.h"
#include "integration/harness/protocol_client.h"
#include "integration/kill/stored_partitions.h"
#include "protocol/errors.h"
#include "protocol/messages/elect_leaders.h"

namespace chronik::integration {
namespace {

using protocol::ErrorCode;
using ::testing::HasSubstr;

constexpr auto no_error = RD_KAFKA_RESP_ERR_NO_ERROR;
constexpr int node_count = 5;

class UncleanRecovery : public ::testing::Test {
 protected:
  void SetUp() override {
    if (BrokerProcess::is_kafka()) GTEST_SKIP() << "skipped: about chronik's own cluster";
    cluster_.launch();
    for (int id = 1; id <= node_count; ++id) ASSERT_TRUE(cluster_.knows(id, node_count));
    create_partition(cluster_.node(4), {1, 2, 3});
    ASSERT_TRUE(eventually([&] { return in_sync(4) == 3; }));
  }

  std::optional<DescribedPartition> partition(int asked) {
    return describe_partition(cluster_.node(asked));
  }
  std::size_t in_sync(int asked) {
    const auto found = partition(asked);
    return found && found->leader_id > 0 ? found->isr_nodes.size() : 0;
  }
  bool has_leader(int asked) {
    const auto found = partition(asked);
    return found && found->leader_id > 0;
  }
  struct Elected {
    ErrorCode error = ErrorCode::unknown_server_error;
    std::string message;
  };
  Elected elect(int asked) {
    RawConnection connection(cluster_.node(asked).host(), cluster_.node(asked).port());
    protocol::ElectLeadersRequest request;
    request.election_type = 1;
    request.topic_partitions->push_back({"t", {0}});
    request.timeout_ms = 20'000;
    const auto response = call(connection, request, protocol::ElectLeadersRequest::max_version,
                               std::chrono::milliseconds(30'000));
    if (!response || response->replica_election_results.size() != 1) return {};
    const auto& answer = response->replica_election_results[0].partition_result.at(0);
    return {static_cast<ErrorCode>(answer.error_code), answer.error_message.value_or("")};
  }
  /// `chronik cluster recover`, by node 4: its exit code, and all that it printed.
  std::pair<int, std::string> recover(const std::vector<std::string>& options) {
    std::vector<std::string> command = {BrokerProcess::program(), "cluster", "recover",
                                        "--bootstrap-server", cluster_.node(4).bootstrap()};
    command.insert(command.end(), options.begin(), options.end());
    const std::string file = cluster_.node(4).directory() + "/recover.txt";
    std::filesystem::remove(file);
    const int code = run_program(command, file);
    std::stringstream text;
    text << std::ifstream(file).rdbuf();
    return {code, text.str()};
  }

  void produce(const std::string& prefix, int from, int to) {
    Producer producer(cluster_.bootstrap(),
                      {{"enable.idempotence", "true"}, {"message.timeout.ms", "60000"}});
    for (int i = from; i < to; ++i) producer.produce("t", 0, prefix + std::to_string(i));
    ASSERT_TRUE(producer.flush(std::chrono::seconds(60)));
    ASSERT_EQ(producer.failures(), 0u);
  }
  /// "old0" ... "old99", then "new100" and so on.
  void expect_survivors_history(std::size_t count) {
    Consumer consumer(cluster_.bootstrap(), "");
    consumer.assign({{"t", 0, 0}});
    const std::vector<Message> got = consumer.consume(count);
    ASSERT_EQ(got.size(), count);
    for (std::size_t i = 0; i < count; ++i) {
      EXPECT_EQ(got[i].offset, static_cast<std::int64_t>(i));
      EXPECT_EQ(got[i].value, (i < 100 ? "old" : "new") + std::to_string(i));
    }
    EXPECT_EQ(consumer.watermarks("t", 0).second, static_cast<std::int64_t>(count));
  }
  /// Node 3 has 100 records, nodes 1 and 2 have acknowledged 50 more, and are gone.
  void lose_a_majority() {
    produce("old", 0, 100);
    // Not killed: what a majority has acknowledged may not be on its disk yet.
    cluster_.node(3).stop();
    ASSERT_TRUE(eventually([&] { return in_sync(4) == 2; }));
    produce("lost", 100, 150);
    epoch_ = partition(4)->leader_epoch;
    cluster_.node(1).kill();
    cluster_.node(2).kill();
    cluster_.node(3).start();
    ASSERT_TRUE(eventually([&] {
      const auto found = partition(4);
      return found && found->leader_id < 0;
    }));
  }
  /// Asked again while the cluster has not given up the nodes that are gone.
  Elected elect_uncleanly(int asked) {
    Elected elected;
    eventually([&] {
      elected = elect(asked);
      return elected.error == ErrorCode::none;
    });
    return elected;
  }
  void expect_the_same_everywhere(const std::vector<std::int32_t>& replicas, std::int64_t end) {
    const StoredTopic stored{"t", {end}, {replicas}};
    EXPECT_TRUE(eventually([&] { return is_stored_everywhere(cluster_, stored); }));
    for (int id = 1; id <= node_count; ++id) {
      if (cluster_.node(id).running()) cluster_.node(id).stop();
    }
    Problems problems;
    compare_stored_partitions(cluster_, stored, problems);
    EXPECT_EQ(problems, Problems{});
  }

  ClusterProcesses cluster_{ClusterProcesses::NotStarted{}, {}, nullptr, 0, node_count};
  std::int32_t epoch_ = -1;
};

TEST_F(UncleanRecovery, APartitionGoesOnWithWhatTheOnlyReplicaLeftHas) {
  EXPECT_EQ(elect(4).error, ErrorCode::election_not_needed);
  ASSERT_NO_FATAL_FAILURE(lose_a_majority());
  std::filesystem::remove_all(cluster_.node(1).data_directory());
  Producer impatient(cluster_.bootstrap(), {{"message.timeout.ms", "3000"}});
  EXPECT_NE(impatient.send({.topic = "t", .partition = 0, .value = "no"}).error, no_error);

  const Elected elected = elect_uncleanly(5);
  ASSERT_EQ(elected.error, ErrorCode::none) << elected.message;
  EXPECT_THAT(elected.message, HasSubstr("records from offset 100 on"));
  EXPECT_THAT(elected.message, HasSubstr("not heard: 1, 2"));
  EXPECT_THAT(cluster_.node(5).log(), HasSubstr("records from offset 100 on"));
  EXPECT_THAT(cluster_.node(3).log(), HasSubstr("a replica goes on alone"));
  ASSERT_TRUE(eventually([&] {
    const auto found = partition(4);
    return found && found->leader_id == 3 && found->leader_epoch > epoch_;
  }));
  EXPECT_EQ(elect(4).error, ErrorCode::election_not_needed);
  produce("new", 100, 160);
  expect_survivors_history(160);

  // The survivor alone, anew: nothing is repeated.
  cluster_.node(3).restart_after_kill();
  ASSERT_TRUE(eventually([&] { return has_leader(4); }));
  produce("new", 160, 170);

  // One comes back with its old disk, the other with an empty one.
  cluster_.node(2).start();
  EXPECT_TRUE(eventually([&] { return in_sync(4) == 2; }));
  cluster_.node(1).start();
  ASSERT_TRUE(eventually([&] { return in_sync(4) == 3; }));
  produce("new", 170, 200);
  cluster_.node(3).kill();
  ASSERT_TRUE(eventually([&] {
    const auto found = partition(4);
    return found && found->leader_id > 0 && found->leader_id != 3;
  }));
  produce("new", 200, 210);
  expect_survivors_history(210);
  cluster_.node(3).start();
  ASSERT_TRUE(eventually([&] { return in_sync(4) == 3; }));
  expect_the_same_everywhere({1, 2, 3}, 210);
}

// Both nodes come back with empty disks: all are there, and nobody can be elected.
TEST_F(UncleanRecovery, TwoOfThreeDisksAreLost) {
  produce("old", 0, 100);
  ASSERT_TRUE(eventually([&] { return in_sync(4) == 3; }));
  cluster_.node(1).kill();
  cluster_.node(2).kill();
  for (const int id : {1, 2}) {
    std::filesystem::remove_all(cluster_.node(id).data_directory());
    cluster_.node(id).start();
  }
  const Elected elected = elect_uncleanly(1);
  ASSERT_EQ(elected.error, ErrorCode::none) << elected.message;
  EXPECT_THAT(elected.message, HasSubstr("broker 3 goes on alone"));
  ASSERT_TRUE(eventually([&] { return in_sync(4) == 3; }));
  produce("new", 100, 130);
  expect_survivors_history(130);
  expect_the_same_everywhere({1, 2, 3}, 130);
}

TEST_F(UncleanRecovery, WhatMayBeLostIsSaidBeforeItIsDone) {
  ASSERT_NO_FATAL_FAILURE(lose_a_majority());
  std::pair<int, std::string> said;
  ASSERT_TRUE(eventually([&] {
    said = recover({"--topic", "t", "--partition", "0"});
    return said.first == 0;
  })) << said.second;
  EXPECT_THAT(said.second, HasSubstr("records from offset 100 on"));
  EXPECT_THAT(said.second, HasSubstr("Nothing was done"));
  EXPECT_FALSE(has_leader(4));
  EXPECT_EQ(recover({"--topic", "other", "--partition", "0"}).first, 1);
  EXPECT_EQ(recover({"--topic", "t"}).first, 2);

  // Instead, one of them comes back: nothing is lost, and there is nothing to recover.
  cluster_.node(2).start();
  ASSERT_TRUE(eventually([&] { return has_leader(4); }));
  said = recover({"--topic", "t", "--partition", "0", "--accept-loss"});
  EXPECT_EQ(said.first, 1);
  EXPECT_THAT(said.second, HasSubstr("ELECTION_NOT_NEEDED"));
  Consumer consumer(cluster_.bootstrap(), "");
  consumer.assign({{"t", 0, 0}});
  EXPECT_EQ(consumer.consume(150).size(), 150u);
  ASSERT_TRUE(eventually([&] { return in_sync(4) == 2; }));

  cluster_.node(2).kill();
  ASSERT_TRUE(eventually([&] {
    said = recover({"--topic", "t", "--partition", "0", "--accept-loss"});
    return said.first == 0;
  })) << said.second;
  EXPECT_THAT(said.second, HasSubstr("It has a leader again"));
  EXPECT_TRUE(has_leader(4));
  EXPECT_EQ(Consumer(cluster_.bootstrap(), "").watermarks("t", 0).second, 150);
}

}  // namespace
}  // namespace chronik::integration
