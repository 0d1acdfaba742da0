// How a node of a cluster starts, and what it says of itself, before it serves anybody.
#include <gtest/gtest.h>

#include <string>

#include "integration/harness/broker_process.h"
#include "integration/harness/cluster_processes.h"
#include "integration/harness/protocol_client.h"
#include "protocol/messages/metadata.h"

namespace chronik::integration {
namespace {

class ClusterStart : public ::testing::Test {
 protected:
  void SetUp() override {
    if (BrokerProcess::is_kafka()) GTEST_SKIP() << "skipped: about chronik's own cluster";
  }
};

// Somebody starts the first of three, changes his mind, and presses Ctrl-C.
TEST_F(ClusterStart, ANodeThatWaitsForTheOthersEndsAtOnceWhenItIsAsked) {
  BrokerProcess broker(BrokerProcess::NotStarted{}, {{"node.id", "1"}});
  broker.settings()["cluster.nodes"] = "1@" + broker.host() + ":9192,2@127.0.0.1:1,3@127.0.0.1:2";
  broker.settings()["cluster.listeners"] = broker.host() + ":9192";
  broker.launch();
  ASSERT_TRUE(eventually([&] {
    return broker.log().find("cannot be reached") != std::string::npos;
  })) << broker.log();
  EXPECT_EQ(broker.stop(), 0) << broker.log();
  EXPECT_NE(broker.log().find("stopped while it waited for the other nodes"), std::string::npos)
      << broker.log();
}

// Bound to every interface and advertised nowhere: clients of the other nodes must find it.
TEST_F(ClusterStart, ClientsAreGivenTheHostOfClusterNodesWhereNoneIsAdvertised) {
  BrokerProcess broker(BrokerProcess::NotStarted{}, {{"node.id", "1"}});
  broker.settings()["cluster.nodes"] = "1@" + broker.host() + ":9192";
  broker.settings()["cluster.listeners"] = broker.host() + ":9192";
  broker.settings()["listeners"] = "PLAINTEXT://:0";
  broker.launch();
  const std::string before = "listener=PLAINTEXT://:";
  ASSERT_TRUE(eventually([&] { return broker.log().find("info started") != std::string::npos; }))
      << broker.log();
  const std::string log = broker.log();
  const std::size_t at = log.find(before);
  ASSERT_NE(at, std::string::npos) << log;
  const int port = std::stoi(log.substr(at + before.size()));

  RawConnection connection("127.0.0.1", port);
  const auto response = call(connection, protocol::MetadataRequest{});
  ASSERT_TRUE(response);
  ASSERT_EQ(response->brokers.size(), 1u);
  EXPECT_EQ(response->brokers[0].host, broker.host());
  EXPECT_EQ(response->brokers[0].port, port);
}

}  // namespace
}  // namespace chronik::integration
