// Nodes that come to a cluster, or come back to it without what they had: three processes, of which
// some lose their data directories.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "integration/harness/admin.h"
#include "integration/harness/cluster_processes.h"
#include "integration/harness/kafka_client.h"
#include "integration/harness/protocol_client.h"
#include "protocol/messages/add_raft_voter.h"
#include "protocol/messages/create_topics.h"
#include "protocol/messages/describe_quorum.h"
#include "protocol/messages/remove_raft_voter.h"

namespace chronik::integration {
namespace {

constexpr auto no_error = RD_KAFKA_RESP_ERR_NO_ERROR;

class ClusterMembers : public ::testing::Test {
 protected:
  void SetUp() override {
    if (BrokerProcess::is_kafka()) GTEST_SKIP() << "skipped: about chronik's own cluster";
  }
  static bool sees(ClusterProcesses& cluster, int node, const std::string& topic) {
    return eventually(
        [&] { return Admin(cluster.node(node).bootstrap()).topic(topic).error == no_error; });
  }
  static bool creates(ClusterProcesses& cluster, int node, const std::string& topic) {
    Outcome outcome;
    const bool created = eventually([&] {
      outcome = Admin(cluster.node(node).bootstrap()).create_topic({.name = topic});
      return outcome.ok() || outcome.error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS;
    });
    EXPECT_TRUE(created) << rd_kafka_err2name(outcome.error) << " " << outcome.message;
    return created;
  }
  using Described = protocol::DescribeQuorumResponse::PartitionData;
  /// As `node` tells it, whoever leads; nothing while nobody does.
  static std::optional<Described> quorum(ClusterProcesses& cluster, int node) {
    RawConnection connection(cluster.node(node).host(), cluster.node(node).port());
    protocol::DescribeQuorumRequest request;
    auto& topic = request.topics.emplace_back();
    topic.topic_name = "__cluster_metadata";
    topic.partitions.emplace_back();
    const auto response = call(connection, request);
    if (!response || response->error_code != 0) return std::nullopt;
    return response->topics.at(0).partitions.at(0);
  }
  static std::vector<std::int32_t> ids(
      const std::vector<protocol::DescribeQuorumResponse::ReplicaState>& replicas) {
    std::vector<std::int32_t> ids;
    for (const auto& replica : replicas) ids.push_back(replica.replica_id);
    return ids;
  }
  using Ids = std::vector<std::int32_t>;
  /// Waits until all nodes say so.
  static void expect_members(ClusterProcesses& cluster, const Ids& voters, const Ids& observers) {
    for (int id = 1; id <= ClusterProcesses::size; ++id) {
      std::optional<Described> seen;
      EXPECT_TRUE(eventually([&] {
        seen = quorum(cluster, id);
        return seen && ids(seen->current_voters) == voters && ids(seen->observers) == observers;
      })) << "by node "
          << id << ": "
          << (seen ? testing::PrintToString(ids(seen->current_voters)) +
                         testing::PrintToString(ids(seen->observers))
                   : "nothing");
    }
  }
  /// The error code of AddRaftVoter or RemoveRaftVoter; -1: no answer.
  template <class Request>
  static int change_voter(ClusterProcesses& cluster, int through, int voter) {
    RawConnection connection(cluster.node(through).host(), cluster.node(through).port());
    Request request;
    request.cluster_id.reset();
    request.voter_id = voter;
    if constexpr (std::is_same_v<Request, protocol::AddRaftVoterRequest>) {
      request.timeout_ms = 20'000;
    }
    const auto response = call(connection, request);
    return response ? response->error_code : -1;
  }
  /// Waits until one of the nodes has said it.
  static bool says(ClusterProcesses& cluster, const std::string& text) {
    return eventually([&] {
      for (int id = 1; id <= ClusterProcesses::size; ++id) {
        if (cluster.node(id).log().find(text) != std::string::npos) return true;
      }
      return false;
    });
  }
};

TEST_F(ClusterMembers, AWipedNodeCatchesUpBeforeItVotes) {
  ClusterProcesses cluster;
  const int wiped = ClusterProcesses::other_than(cluster.leader(1));
  const int third = ClusterProcesses::other_than(wiped) == cluster.leader(1)
                        ? ClusterProcesses::other_than(cluster.leader(1))
                        : ClusterProcesses::other_than(wiped);
  ASSERT_TRUE(creates(cluster, third, "before"));
  const std::string cluster_id = Admin(cluster.node(third).bootstrap()).cluster_id();
  cluster.node(wiped).kill();
  std::filesystem::remove_all(cluster.node(wiped).data_directory() + "/__meta-0");
  cluster.node(wiped).launch();
  EXPECT_GT(cluster.node(wiped).wait_for_end(), 0) << "half a directory would vote anew";
  EXPECT_NE(cluster.node(wiped).log().find("remove the whole data directory"), std::string::npos);
  std::filesystem::remove_all(cluster.node(wiped).data_directory());
  ASSERT_TRUE(creates(cluster, third, "meanwhile"));

  cluster.node(wiped).start();
  EXPECT_EQ(Admin(cluster.node(wiped).bootstrap()).topic("before").error, no_error);
  EXPECT_EQ(Admin(cluster.node(wiped).bootstrap()).topic("meanwhile").error, no_error)
      << "it serves when it has everything";
  EXPECT_EQ(Admin(cluster.node(wiped).bootstrap()).cluster_id(), cluster_id);
  EXPECT_TRUE(says(cluster, "it has no vote before it holds the metadata"));
  expect_members(cluster, {1, 2, 3}, {});

  // Of three voters one may be missing again, and the one that was wiped is half of the rest.
  cluster.node(third).kill();
  EXPECT_TRUE(creates(cluster, wiped, "after"));
  cluster.node(third).start();
  EXPECT_TRUE(sees(cluster, third, "after"));
}

// Through any node, also through those that do not lead, and also when the leader goes.
TEST_F(ClusterMembers, VotersComeAndGoByRequest) {
  ClusterProcesses cluster;
  expect_members(cluster, {1, 2, 3}, {});
  const std::optional<Described> before = quorum(cluster, 1);
  ASSERT_TRUE(before);
  for (const auto& voter : before->current_voters) {
    EXPECT_FALSE(voter.replica_directory_id.is_zero());
    EXPECT_GT(voter.last_fetch_timestamp, 0);
  }
  const int led = before->leader_id;
  const int other = ClusterProcesses::other_than(led);
  EXPECT_EQ(change_voter<protocol::AddRaftVoterRequest>(cluster, other, led), 126)
      << "DUPLICATE_VOTER";
  ASSERT_EQ(change_voter<protocol::RemoveRaftVoterRequest>(cluster, other, led), 0);
  Ids rest{1, 2, 3};
  std::erase(rest, led);
  expect_members(cluster, rest, {led});
  EXPECT_TRUE(creates(cluster, led, "through-an-observer"));
  EXPECT_NE(quorum(cluster, led)->leader_id, led);
  EXPECT_EQ(change_voter<protocol::RemoveRaftVoterRequest>(cluster, other, led), 127)
      << "VOTER_NOT_FOUND";

  ASSERT_EQ(change_voter<protocol::AddRaftVoterRequest>(cluster, led, led), 0);
  expect_members(cluster, {1, 2, 3}, {});
  cluster.node(other).kill();
  EXPECT_TRUE(creates(cluster, led, "with-two-of-three"));
}

// An observer has everything and takes every request, and its loss or its vote never counts.
TEST_F(ClusterMembers, AnObserverHasEverythingAndNoVote) {
  ClusterProcesses cluster(ClusterProcesses::NotStarted{}, {}, nullptr, 1);
  cluster.node(3).settings()["node.role"] = "observer";
  for (int id = 1; id <= 3; ++id) cluster.node(id).launch();
  for (int id = 1; id <= 3; ++id) ASSERT_TRUE(cluster.knows(id, 3));
  expect_members(cluster, {1, 2}, {3});
  EXPECT_TRUE(creates(cluster, 3, "by-the-observer"));
  EXPECT_TRUE(sees(cluster, 1, "by-the-observer"));
  EXPECT_EQ(change_voter<protocol::AddRaftVoterRequest>(cluster, 1, 3),
            RD_KAFKA_RESP_ERR_INVALID_REQUEST);

  cluster.node(3).kill();
  EXPECT_TRUE(creates(cluster, 1, "without-the-observer"));
  std::filesystem::remove_all(cluster.node(3).data_directory());
  cluster.node(3).start();
  EXPECT_TRUE(sees(cluster, 3, "without-the-observer"));
  expect_members(cluster, {1, 2}, {3});
}

// A broker that was alone becomes the first node of a cluster, with all it had.
TEST_F(ClusterMembers, AStandaloneDirectoryGrowsIntoACluster) {
  ClusterProcesses cluster(ClusterProcesses::NotStarted{}, {});
  BrokerProcess& first = cluster.node(1);
  const Settings of_cluster = first.settings();
  std::erase_if(first.settings(), [](const auto& at) { return at.first.starts_with("cluster."); });
  first.start();
  const std::string cluster_id = Admin(first.bootstrap()).cluster_id();
  ASSERT_TRUE(creates(cluster, 1, "alone"));
  {
    Producer producer(first.bootstrap());
    EXPECT_EQ(producer.send({.topic = "alone", .partition = 0, .value = "kept"}).error, no_error);
    Consumer consumer(first.bootstrap(), "g");
    consumer.subscribe({"alone"});
    ASSERT_TRUE(consumer.wait_for_partitions(1));
    EXPECT_EQ(consumer.commit({{"alone", 0, 1}}), no_error);
  }
  EXPECT_EQ(first.stop(), 0);

  first.settings() = of_cluster;
  for (int id = 1; id <= 3; ++id) cluster.node(id).launch();
  for (int id = 1; id <= 3; ++id) EXPECT_TRUE(sees(cluster, id, "alone")) << "on node " << id;
  expect_members(cluster, {1}, {2, 3});
  const std::string output = first.directory() + "/commands";
  for (const char* node : {"2", "3"}) {
    EXPECT_EQ(run_program({BrokerProcess::program(), "cluster", "add", node, "--bootstrap-server",
                           cluster.node(2).bootstrap()},
                          output),
              0);
  }
  expect_members(cluster, {1, 2, 3}, {});
  EXPECT_EQ(run_program({BrokerProcess::program(), "cluster", "status", "--bootstrap-server",
                         cluster.node(3).bootstrap()},
                        output),
            0);
  Consumer consumer(cluster.node(3).bootstrap(), "");
  consumer.assign({{"alone", 0, 0}});
  EXPECT_EQ(*consumer.consume(1).at(0).value, "kept");

  first.kill();
  EXPECT_TRUE(creates(cluster, 2, "without-the-first"));
  EXPECT_EQ(Admin(cluster.node(3).bootstrap()).cluster_id(), cluster_id);
  EXPECT_EQ(Admin(cluster.node(3).bootstrap()).committed("g").size(), 1u);

  // Alone again, it would drop what the others know since.
  std::erase_if(first.settings(), [](const auto& at) { return at.first.starts_with("cluster."); });
  first.launch();
  EXPECT_GT(first.wait_for_end(), 0);
  EXPECT_NE(first.log().find("no cluster.nodes is set"), std::string::npos) << first.log();
}

/// The largest memory that the process ever had.
std::uint64_t peak_kib(pid_t process) {
  std::ifstream status("/proc/" + std::to_string(process) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stoull(line.substr(6));
  }
  return 0;
}

/// Of the metadata log: the bytes of its snapshots, and whether entries before them are gone.
struct Snapshots {
  std::uintmax_t bytes = 0;
  bool log_begins_behind = true;
};
Snapshots snapshots_in(const std::string& data) {
  Snapshots found;
  for (const auto& file : std::filesystem::directory_iterator(data + "/__meta-0")) {
    const std::string name = file.path().filename();
    if (file.path().extension() == ".snapshot") found.bytes += file.file_size();
    if (name == "00000000000000000000.log") found.log_begins_behind = false;
  }
  return found;
}

TEST_F(ClusterMembers, ANewNodeCatchesUpFromTheSnapshotOfAHundredThousandTopics) {
  if (std::getenv("TEST_PROGRAM") != nullptr) {
    GTEST_SKIP() << "skipped: memory and time are those of the program of this build";
  }
  constexpr int topics = 100'000;
  constexpr int at_once = 5'000;
  const Settings configs{{"cleanup.policy", "compact,delete"},
                         {"compression.type", "producer"},
                         {"delete.retention.ms", "86400000"},
                         {"max.message.bytes", "1048588"},
                         {"message.timestamp.type", "CreateTime"},
                         {"min.cleanable.dirty.ratio", "0.5"},
                         {"retention.ms", "604800000"},
                         {"segment.bytes", "1073741824"}};
  ClusterProcesses cluster;
  for (int made = 0; made < topics; made += at_once) {
    protocol::CreateTopicsRequest request;
    request.timeout_ms = 30'000;
    for (int i = made; i < made + at_once; ++i) {
      auto& topic = request.topics.emplace_back();
      topic.name = "topic-" + std::to_string(i);
      topic.num_partitions = topic.replication_factor = 1;
      // So that the log is long enough to be cut behind a snapshot.
      for (const auto& [name, value] : configs) topic.configs.push_back({name, value});
    }
    // On a machine that is busy with other things the leader may change: try again, as it says.
    ASSERT_TRUE(eventually([&] {
      RawConnection connection(cluster.node(1).host(), cluster.node(1).port());
      if (!connection.connected()) return false;
      const auto response = call(connection, request);
      return response &&
             std::all_of(response->topics.begin(), response->topics.end(), [](const auto& topic) {
               return topic.error_code == 0 ||
                      topic.error_code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS;
             });
    }));
  }
  // A snapshot is written beside the changes, and the next one begins with a change after it.
  int more = 0;
  Admin admin(cluster.node(1).bootstrap());
  ASSERT_TRUE(eventually([&] {
    EXPECT_TRUE(admin.create_topic({.name = "more-" + std::to_string(more++)}).ok());
    return snapshots_in(cluster.node(1).data_directory()).log_begins_behind &&
           snapshots_in(cluster.node(2).data_directory()).log_begins_behind;
  }));
  const std::string last = "more-" + std::to_string(more - 1);
  BrokerProcess& node = cluster.node(3);
  ASSERT_TRUE(sees(cluster, 3, last));
  const std::uint64_t peak_before = peak_kib(node.id());
  node.kill();
  std::filesystem::remove_all(node.data_directory());

  const auto begin = std::chrono::steady_clock::now();
  node.start();
  EXPECT_EQ(Admin(node.bootstrap()).topic(last).error, no_error);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  const Snapshots got = snapshots_in(node.data_directory());
  EXPECT_GT(got.bytes, 0u);
  EXPECT_TRUE(got.log_begins_behind) << "it was to come from the snapshot, not from the log";
  const std::uint64_t peak = peak_kib(node.id());
  std::printf(
      "%d topics: snapshot %.1f MB, caught up and serving after %.2f s, peak memory %.0f MB, "
      "%.0f MB where they were created\n",
      topics, static_cast<double>(got.bytes) / 1e6, took.count(), static_cast<double>(peak) / 1024,
      static_cast<double>(peak_before) / 1024);
  EXPECT_LT(peak, peak_before + peak_before / 4) << "it holds the image once, and little beside it";
  expect_members(cluster, {1, 2, 3}, {});
}

// With two of three directories gone nobody may go on: what only those two had acknowledged would
// be lost in silence. Given one back, the cluster has everything.
TEST_F(ClusterMembers, TwoLostDirectoriesStopTheClusterUntilOneIsGivenBack) {
  ClusterProcesses cluster;
  ASSERT_TRUE(creates(cluster, 1, "kept"));
  for (int id = 1; id <= 3; ++id) cluster.node(id).kill();
  const std::string kept = cluster.node(2).data_directory();
  std::filesystem::rename(kept, kept + ".kept");
  std::filesystem::remove_all(cluster.node(3).data_directory());
  for (int id = 1; id <= 3; ++id) cluster.node(id).launch();
  EXPECT_TRUE(says(cluster, "another data directory: 2, 3, which is 2 of 3"));
  EXPECT_TRUE(cluster.node(1).running()) << "it waits for what was lost";

  cluster.node(2).kill();
  std::filesystem::remove_all(kept);
  std::filesystem::rename(kept + ".kept", kept);
  cluster.node(2).launch();
  for (int id = 1; id <= 3; ++id) EXPECT_TRUE(sees(cluster, id, "kept")) << "on node " << id;
  EXPECT_TRUE(says(cluster, "holds the metadata, and votes again"));
}

// Node 3 is started on the directory of a broker that was alone.
TEST_F(ClusterMembers, ADirectoryOfAnotherClusterIsRefused) {
  ClusterProcesses cluster;
  ASSERT_TRUE(creates(cluster, 1, "ours"));
  const std::string ours = Admin(cluster.node(1).bootstrap()).cluster_id();
  BrokerProcess alone(Settings{{"node.id", "3"}});
  const std::string theirs = Admin(alone.bootstrap()).cluster_id();
  alone.stop();
  cluster.node(3).kill();
  const std::string directory = cluster.node(3).data_directory();
  std::filesystem::rename(directory, directory + ".kept");
  std::filesystem::copy(alone.data_directory(), directory,
                        std::filesystem::copy_options::recursive);
  cluster.node(3).launch();
  EXPECT_GT(cluster.node(3).wait_for_end(), 0);
  const std::string log = cluster.node(3).log();
  EXPECT_NE(log.find(ours), std::string::npos) << log;
  EXPECT_NE(log.find(theirs), std::string::npos) << log;
  EXPECT_NE(log.find("another data directory"), std::string::npos) << log;
  EXPECT_TRUE(creates(cluster, 1, "still-ours"));

  std::filesystem::remove_all(directory);
  std::filesystem::rename(directory + ".kept", directory);
  cluster.node(3).start();
  EXPECT_TRUE(sees(cluster, 3, "still-ours"));
}

}  // namespace
}  // namespace chronik::integration
