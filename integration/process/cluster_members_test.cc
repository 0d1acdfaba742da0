// Nodes that come to a cluster, or come back to it without what they had: three processes, of which
// some lose their data directories.
#include <gtest/gtest.h>

#include <filesystem>

#include "integration/harness/admin.h"
#include "integration/harness/cluster_processes.h"
#include "integration/harness/kafka_client.h"

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
  std::filesystem::remove_all(cluster.node(wiped).data_directory());
  ASSERT_TRUE(creates(cluster, third, "meanwhile"));

  cluster.node(wiped).start();
  EXPECT_EQ(Admin(cluster.node(wiped).bootstrap()).topic("before").error, no_error);
  EXPECT_EQ(Admin(cluster.node(wiped).bootstrap()).topic("meanwhile").error, no_error)
      << "it serves when it has everything";
  EXPECT_EQ(Admin(cluster.node(wiped).bootstrap()).cluster_id(), cluster_id);
  EXPECT_TRUE(says(cluster, "it has no vote before it holds the metadata"));
  EXPECT_TRUE(says(cluster, "holds the metadata, and votes again"));

  // Of three voters one may be missing again, and the one that was wiped is half of the rest.
  cluster.node(third).kill();
  EXPECT_TRUE(creates(cluster, wiped, "after"));
  cluster.node(third).start();
  EXPECT_TRUE(sees(cluster, third, "after"));
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
