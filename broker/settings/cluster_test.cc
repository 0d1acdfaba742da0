#include "broker/settings/cluster.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/settings/describe.h"
#include "broker/settings/start_config.h"

namespace chronik::broker {
namespace {

using testing::ElementsAre;

constexpr std::string_view three_nodes = "cluster.nodes=1@n1:9192,2@n2:9192,3@n3:9192\n";

StartSources sources_of(std::string_view text, std::string host_name = "somewhere") {
  StartSources sources;
  sources.file = {"f", std::string(text)};
  sources.host_name = std::move(host_name);
  return sources;
}

/// The one line with which the start fails, or "ok".
std::string outcome(const StartSources& sources) {
  const auto config = read_start_config(sources);
  if (!config) return config.error().message;
  const auto settings = start_settings(*config);
  return settings ? "ok" : settings.error().message;
}

/// Of three nodes and what stands in `more`.
std::string outcome_of(std::string_view more) {
  return outcome(sources_of(std::string(three_nodes) + "node.id=2\n" + std::string(more)));
}

Settings settings_of(const StartSources& sources) {
  const auto config = read_start_config(sources);
  CHECK_MSG(config.has_value(), config.error().message);
  const auto settings = start_settings(*config);
  CHECK_MSG(settings.has_value(), settings.error().message);
  return *settings;
}

ClusterSettings cluster_of(std::string_view text, std::string host_name = "somewhere") {
  return settings_of(sources_of(text, std::move(host_name))).cluster.value();
}

TEST(ClusterSettings, NothingOfAClusterWithoutNodes) {
  EXPECT_FALSE(settings_of({}).cluster.has_value());
  EXPECT_FALSE(settings_of(sources_of("cluster.nodes=\n")).cluster.has_value());
}

TEST(ClusterSettings, TheListOfNodesIsEnough) {
  const ClusterSettings cluster = cluster_of(
      "cluster.nodes=3@n3:9193,1@N1.Example.org:9192,2@[::1]:9192,9@n9:9192/observer\n"
      "node.id=3\n");
  EXPECT_THAT(
      cluster.nodes,
      ElementsAre(ClusterNode{1, "n1.example.org", 9192, false}, ClusterNode{2, "::1", 9192, false},
                  ClusterNode{3, "n3", 9193, false}, ClusterNode{9, "n9", 9192, true}));
  EXPECT_THAT(cluster.listeners, ElementsAre(ClusterListener{"", 9193}));
  EXPECT_FALSE(cluster.observer);
  EXPECT_EQ(cluster.election_timeout, milliseconds(1000));
  EXPECT_EQ(cluster.heartbeat_interval, milliseconds(100));
  EXPECT_EQ(cluster.propose_timeout, milliseconds(5000));
  EXPECT_EQ(cluster.frame_bytes_max, 80 << 20);
  EXPECT_EQ(cluster.queue_bytes_max, 168 << 20);
  EXPECT_THAT(cluster_warnings(cluster), testing::IsEmpty());
}

TEST(ClusterSettings, ANodeMayListenElsewhereThanItsAddress) {
  const ClusterSettings cluster = cluster_of(
      std::string(three_nodes) + "node.id=1\ncluster.listeners=10.0.0.1:7000,[fd00::1]:7001,:7002");
  EXPECT_THAT(cluster.listeners,
              ElementsAre(ClusterListener{"10.0.0.1", 7000}, ClusterListener{"fd00::1", 7001},
                          ClusterListener{"", 7002}));
}

TEST(ClusterSettings, TheHostNameGivesTheNumber) {
  EXPECT_EQ(settings_of(sources_of(three_nodes, "n3")).node_id, 3);
  EXPECT_EQ(settings_of(sources_of(three_nodes, "chronik-2.chronik.svc.cluster.local")).node_id, 2);
  EXPECT_EQ(settings_of(sources_of("cluster.nodes=0@c-0:1,1@c-1:1,2@c-2:1", "c-0")).node_id, 0);
  // Who says it is believed.
  EXPECT_EQ(settings_of(sources_of(std::string(three_nodes) + "broker.id=1", "n3")).node_id, 1);
  // And tools see it as given at start.
  const auto config = read_start_config(sources_of(three_nodes, "n3"));
  EXPECT_EQ(*config->values.find("node.id"), "3");
  EXPECT_EQ(*config->values.find("broker.id"), "3");
  // Alone, the host name says nothing.
  EXPECT_EQ(settings_of(sources_of("", "n3")).node_id, 1);
}

TEST(ClusterSettings, AHostNameThatIsNoNumberStopsTheStart) {
  const auto unknown = [](std::string_view name) {
    return fmt::format(
        "node.id is not set, and the host name {} does not end in a node's number: set node.id to "
        "the number that this node has in cluster.nodes",
        name);
  };
  // The second is how a container engine names a container that has no name.
  for (const char* name : {"alpha", "3f2a91c0b7d2", "123", "", "n99999999999"}) {
    EXPECT_EQ(outcome(sources_of(three_nodes, name)), unknown(name));
  }
  EXPECT_EQ(outcome(sources_of(three_nodes, "chronik-0")),
            "f:1: cluster.nodes=1@n1:9192,2@n2:9192,3@n3:9192: this node, 0, is not among 1, 2, 3; "
            "set node.id on each node to its number in the list");
}

TEST(ClusterSettings, AnObserverIsKnownToAll) {
  const std::string nodes = "cluster.nodes=1@n1:1,2@n2:1/observer\n";
  EXPECT_TRUE(cluster_of(nodes + "node.id=2").observer);
  EXPECT_TRUE(cluster_of(nodes + "node.id=2\nnode.role=observer").observer);
  EXPECT_FALSE(cluster_of(nodes + "node.id=1\nnode.role=voter").observer);
  EXPECT_EQ(outcome(sources_of(nodes + "node.id=2\nnode.role=voter")),
            "f:3: node.role=voter: but cluster.nodes has this node as an observer; every node must "
            "know who votes: leave /observer out there");
  EXPECT_EQ(outcome_of("node.role=observer"),
            "f:3: node.role=observer: but cluster.nodes has this node as a voter; every node must "
            "know who votes: write /observer behind its address there");
  EXPECT_EQ(outcome_of("node.role=witness"),
            "f:3: node.role=witness: String must be one of: voter, observer");
}

TEST(ClusterSettings, AnEvenNumberOfVotersIsWarnedOf) {
  EXPECT_THAT(cluster_warnings(cluster_of("cluster.nodes=1@a:1,2@b:1,3@c:1,4@d:1\nnode.id=1")),
              ElementsAre("cluster.nodes names 4 voters, which outlive the loss of 1, as 3 do: one "
                          "more or one less is better"));
  EXPECT_THAT(
      cluster_warnings(cluster_of("cluster.nodes=1@a:1,2@b:1,3@c:1,4@d:1/observer\nnode.id=1")),
      testing::IsEmpty());
}

struct Refused {
  const char* nodes;
  const char* why;
};

TEST(ClusterSettings, AMistakeInTheListIsOneLine) {
  const Refused cases[] = {
      {"1@n1", "1@n1 is not of the form id@host:port or id@host:port/observer, as 1@n1:9192"},
      {"n1:9192", "n1:9192 is not of the form id@host:port or id@host:port/observer, as 1@n1:9192"},
      {"1@:9192", "1@:9192 is not of the form id@host:port or id@host:port/observer, as 1@n1:9192"},
      {"-1@a:9192",
       "-1@a:9192 is not of the form id@host:port or id@host:port/observer, as 1@n1:9192"},
      {"1@a:0", "1@a:0 is not of the form id@host:port or id@host:port/observer, as 1@n1:9192"},
      {"1@a:65536",
       "1@a:65536 is not of the form id@host:port or id@host:port/observer, as 1@n1:9192"},
      {"1@::1:9192",
       "1@::1:9192 is not of the form id@host:port or id@host:port/observer, as 1@n1:9192"},
      {"1@a:1/voter",
       "1@a:1/voter is not of the form id@host:port or id@host:port/observer, as 1@n1:9192"},
      {"1@0.0.0.0:9192", "other nodes cannot connect to 0.0.0.0; name an address that they reach"},
      {"1@a:1,1@b:1", "the node 1 stands in it twice"},
      {"1@a:1,2@A:1", "the nodes 1 and 2 have the same address a:1"},
      {"1@a:1/observer", "names observers only; somebody must vote"},
      {"2@a:1,3@b:1",
       "this node, 1, is not among 2, 3; set node.id on each node to its number in the list"},
      {"1@a:9092,2@b:9092",
       "port 9092 is taken by the listener PLAINTEXT for clients; the nodes need one of their own, "
       "as 9192"},
  };
  for (const Refused& refused : cases) {
    EXPECT_EQ(outcome(sources_of(fmt::format("node.id=1\ncluster.nodes={}", refused.nodes))),
              fmt::format("f:2: cluster.nodes={}: {}", refused.nodes, refused.why));
  }
  std::string many = "1@h:1";
  for (int id = 2; id <= 33; ++id) many += fmt::format(",{0}@h:{0}", id);
  EXPECT_THAT(outcome(sources_of("node.id=1\ncluster.nodes=" + many)),
              testing::HasSubstr("names 33 nodes, and a cluster has 32 at most"));
}

TEST(ClusterSettings, AMistakeBesideTheListIsOneLine) {
  const Refused cases[] = {
      {"cluster.listeners=9192",
       "9192 is not of the form host:port with a port of 1 to 65535, as 0.0.0.0:9192"},
      {"cluster.listeners=a:0",
       "a:0 is not of the form host:port with a port of 1 to 65535, as 0.0.0.0:9192"},
      {"cluster.listeners=a:7000,0.0.0.0:7000", "0.0.0.0:7000 stands in it twice"},
      {"cluster.listeners=127.0.0.1:9092",
       "port 9092 is taken by the listener PLAINTEXT for clients; the nodes need one of their own, "
       "as 9192"},
      {"cluster.heartbeat.interval.ms=400",
       "must be at most a third of cluster.election.timeout.ms, which is 1000"},
      {"cluster.election.timeout.ms=99", "Value must be at least 100"},
      {"cluster.propose.timeout.ms=0", "Value must be at least 100"},
      {"cluster.queue.bytes.max=20000000",
       "must be at least twice cluster.frame.bytes.max, which is 83886080"},
  };
  for (const Refused& refused : cases) {
    EXPECT_EQ(outcome_of(refused.nodes), fmt::format("f:3: {}: {}", refused.nodes, refused.why));
  }
}

TEST(ClusterSettings, WhatIsForAClusterIsRefusedAlone) {
  EXPECT_EQ(outcome(sources_of("cluster.listeners=:9192")),
            "f:1: cluster.listeners=:9192: is for a cluster only; name its nodes in cluster.nodes");
  EXPECT_EQ(outcome(sources_of("node.role=observer")),
            "f:1: node.role=observer: is for a cluster only; name its nodes in cluster.nodes");
}

// Three brokers with Kafka's list alone would be three clusters of one node.
TEST(ClusterSettings, KafkasListOfSeveralControllersDoesNotMakeSeveralClusters) {
  EXPECT_EQ(outcome(sources_of("node.id=1\ncontroller.quorum.voters=1@a:9093,2@b:9093")),
            "f:2: controller.quorum.voters=1@a:9093,2@b:9093: 2@b:9093 is another node than this "
            "one, 1, and chronik has no controllers beside its nodes; for a cluster name all its "
            "nodes in cluster.nodes=1@host1:9192,2@host2:9192,3@host3:9192");
  EXPECT_EQ(outcome(sources_of("node.id=1\ncontroller.quorum.voters=1@a:9093")), "ok");
  EXPECT_EQ(outcome_of("controller.quorum.voters=1@a:9093,2@b:9093"), "ok");
}

TEST(ClusterSettings, ToolsSeeThem) {
  StartSources sources = sources_of(three_nodes, "n2");
  const auto config = read_start_config(sources);
  const ConfigLayers layers{.at_start = config->values, .cluster = {}, .broker = {}};
  const std::string keys[] = {"cluster.nodes", "cluster.election.timeout.ms", "node.role"};
  const auto entries = describe_broker(layers, {.keys = keys});
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[0].value, "1000");
  EXPECT_EQ(entries[0].source, ConfigSource::default_config);
  EXPECT_EQ(entries[1].value, "1@n1:9192,2@n2:9192,3@n3:9192");
  EXPECT_EQ(entries[1].source, ConfigSource::static_broker);
  EXPECT_TRUE(entries[1].read_only);
  EXPECT_EQ(entries[2].value, std::nullopt);
}

}  // namespace
}  // namespace chronik::broker
