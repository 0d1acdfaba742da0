#include "broker/net/cluster_formation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/random.h"

namespace chronik::broker {
namespace {

using Kind = ClusterFormation::Outcome::Kind;
using testing::HasSubstr;

/// A node with its data directory, as the composition drives it: what it decided is durable at
/// once.
struct Node {
  Node(NodeId number, std::vector<NodeId> all, std::uint64_t directory, Uuid cluster_id = {})
      : voters(std::move(all)) {
    self.node = number;
    self.cluster_id = cluster_id;
    self.directory = Uuid::from_random(directory, 1);
    restart();
  }

  void restart() {
    self.proposal = {};
    formation.emplace(self, voters);
  }
  void hear(const PeerHello& hello) {
    if (formed()) return;
    formation->heard(hello);
    step();
  }
  void lose(NodeId node) {
    if (formed()) return;
    formation->lost(node);
    step();
  }
  void step() {
    self.proposal = formation->proposal();
    const ClusterFormation::Outcome outcome = formation->outcome();
    waits_for = outcome.waits_for;
    kind = outcome.kind;
    if (kind == Kind::waiting) return;
    self.cluster_id = outcome.cluster_id;
    self.founders = outcome.founders;
    self.proposal = {};
  }
  bool formed() const { return !self.founders.empty(); }

  std::vector<NodeId> voters;
  PeerHello self;
  std::optional<ClusterFormation> formation;
  Kind kind = Kind::waiting;
  std::string waits_for;
};

/// All hear all, again and again, until nothing changes.
void settle(const std::vector<Node*>& nodes) {
  for (int round = 0; round < 5; ++round) {
    for (Node* node : nodes) {
      for (Node* other : nodes) {
        if (other != node) node->hear(other->self);
      }
    }
  }
}

std::vector<Node> three(std::uint64_t directories = 0) {
  std::vector<Node> nodes;
  for (const NodeId node : {1, 2, 3}) {
    nodes.emplace_back(node, std::vector<NodeId>{1, 2, 3},
                       directories + static_cast<std::uint64_t>(node));
  }
  return nodes;
}

TEST(ClusterFormation, AllVotersTogetherFoundOneCluster) {
  std::vector<Node> nodes = three();
  settle({&nodes[0], &nodes[1], &nodes[2]});
  for (const Node& node : nodes) {
    EXPECT_EQ(node.kind, Kind::founder);
    EXPECT_EQ(node.self.cluster_id, nodes[0].self.cluster_id);
    EXPECT_FALSE(node.self.cluster_id.is_zero());
    EXPECT_EQ(node.self.founders.size(), 3u);
  }
}

TEST(ClusterFormation, ANodeAloneIsItsCluster) {
  Node node(1, {1}, 1);
  node.step();
  EXPECT_EQ(node.kind, Kind::founder);
}

TEST(ClusterFormation, AMajorityIsNotEnoughToFoundOne) {
  std::vector<Node> nodes = three();
  settle({&nodes[0], &nodes[1]});
  EXPECT_EQ(nodes[0].kind, Kind::waiting);
  EXPECT_EQ(nodes[0].waits_for, "nodes 3: a cluster is founded by all its voters");
}

TEST(ClusterFormation, AClusterFoundedAgainAfterAWipeIsAnotherOne) {
  std::vector<Node> before = three();
  settle({&before[0], &before[1], &before[2]});
  std::vector<Node> after = three(100);
  settle({&after[0], &after[1], &after[2]});
  EXPECT_NE(before[0].self.cluster_id, after[0].self.cluster_id);
}

TEST(ClusterFormation, TheIdThatWasGivenIsTaken) {
  const Uuid given = Uuid::from_random(5, 5);
  std::vector<Node> nodes;
  for (const NodeId node : {1, 2}) {
    nodes.emplace_back(node, std::vector<NodeId>{1, 2}, static_cast<std::uint64_t>(node), given);
  }
  settle({&nodes[0], &nodes[1]});
  EXPECT_EQ(nodes[0].kind, Kind::founder);
  EXPECT_EQ(nodes[0].self.cluster_id, given);

  Node with(1, {1, 2}, 1, given);
  Node without(2, {1, 2}, 2);
  settle({&with, &without});
  EXPECT_EQ(with.kind, Kind::waiting);
  EXPECT_EQ(with.waits_for, "node 2: chronik.cluster.id must be the same on all nodes, or on none");
}

TEST(ClusterFormation, AWipedNodeComesBackAsANewcomer) {
  std::vector<Node> nodes = three();
  settle({&nodes[0], &nodes[1], &nodes[2]});
  Node wiped(2, {1, 2, 3}, 200);
  // One of the others is enough to know.
  wiped.hear(nodes[0].self);
  EXPECT_EQ(wiped.kind, Kind::newcomer);
  EXPECT_EQ(wiped.self.cluster_id, nodes[0].self.cluster_id);
}

// Two of three were wiped and one has all that was decided: nothing may be founded over its head.
TEST(ClusterFormation, AWipedMajorityDoesNotFoundAnotherCluster) {
  std::vector<Node> nodes = three();
  settle({&nodes[0], &nodes[1], &nodes[2]});
  Node second(2, {1, 2, 3}, 200);
  Node third(3, {1, 2, 3}, 300);
  settle({&second, &third});
  EXPECT_EQ(second.kind, Kind::waiting);
  settle({&nodes[0], &second, &third});
  EXPECT_EQ(second.kind, Kind::newcomer);
  EXPECT_EQ(third.kind, Kind::newcomer);
}

TEST(ClusterFormation, AFounderThatWasInterruptedIsStillOne) {
  std::vector<Node> nodes = three();
  for (const std::size_t node : {1, 2, 0}) {
    for (const std::size_t other : {0, 1, 2}) {
      if (other != node) nodes[node].hear(nodes[other].self);
    }
  }
  // Node 1 has seen that all agree, and is the only one to know.
  ASSERT_FALSE(nodes[1].formed() || nodes[2].formed());
  ASSERT_TRUE(nodes[0].formed());
  nodes[1].restart();
  nodes[2].restart();
  nodes[1].hear(nodes[0].self);
  nodes[2].hear(nodes[0].self);
  EXPECT_EQ(nodes[1].kind, Kind::founder);
  EXPECT_EQ(nodes[2].kind, Kind::founder);
}

TEST(ClusterFormation, DifferentListsFoundNothing) {
  Node two(1, {1, 2}, 1);
  Node three(2, {1, 2, 3}, 2);
  settle({&two, &three});
  EXPECT_EQ(two.kind, Kind::waiting);
  EXPECT_THAT(two.waits_for, HasSubstr("cluster.nodes must be the same list on all nodes"));
}

TEST(ClusterFormation, AnObserverWaitsForTheVotersAndDoesNotCount) {
  std::vector<Node> nodes = three();
  Node observer(4, {1, 2, 3}, 4);
  observer.self.observer = true;
  observer.restart();
  for (Node& node : nodes) observer.hear(node.self);
  EXPECT_EQ(observer.kind, Kind::waiting);
  nodes[0].hear(observer.self);
  settle({&nodes[0], &nodes[1], &nodes[2]});
  EXPECT_EQ(nodes[0].self.founders.size(), 3u);
  observer.hear(nodes[0].self);
  EXPECT_EQ(observer.kind, Kind::newcomer);
}

/// One run of three nodes that hear old news of each other, restart and lose their directories.
/// Every set of founders of which a majority was founded: nodes that can decide something.
std::set<std::vector<Founder>> able_to_decide(std::uint64_t seed) {
  Random random(seed);
  std::vector<Node> nodes = three();
  std::uint64_t next_directory = 1000;
  std::set<std::vector<Founder>> deciding;
  std::map<std::pair<NodeId, Uuid>, std::vector<Founder>> founded;  // also of what was wiped
  std::map<NodeId, std::map<NodeId, PeerHello>> news;               // on its way, by receiver
  for (int step = 0; step < 300; ++step) {
    Node& node = nodes[random.below(3)];
    const std::size_t other = random.below(3);
    if (random.one_in(40)) {
      node = Node(node.self.node, {1, 2, 3}, next_directory++);
      // The end of a process ends its connections.
      for (Node& peer : nodes) {
        news[peer.self.node].erase(node.self.node);
        peer.lose(node.self.node);
      }
      news[node.self.node].clear();
    } else if (random.one_in(2)) {
      news[nodes[other].self.node][node.self.node] = node.self;
    } else if (nodes[other].self.node != node.self.node) {
      auto& mine = news[node.self.node];
      const auto arrived = mine.find(nodes[other].self.node);
      if (arrived != mine.end()) node.hear(arrived->second);
    }
    if (node.formed()) founded[{node.self.node, node.self.directory}] = node.self.founders;
  }
  std::map<std::vector<Founder>, int> votes;
  for (const auto& [founder, founders] : founded) {
    const bool votes_there =
        std::ranges::binary_search(founders, Founder{founder.first, founder.second});
    if (votes_there && ++votes[founders] >= 2) deciding.insert(founders);
  }
  return deciding;
}

TEST(ClusterFormation, WhateverIsLostOnTheWayTwoClustersNeedThatTwoDirectoriesWereWiped) {
  int formed = 0;
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    std::vector<std::vector<Founder>> all;
    for (const auto& founders : able_to_decide(seed)) all.push_back(founders);
    formed += all.empty() ? 0 : 1;
    for (std::size_t a = 0; a < all.size(); ++a) {
      for (std::size_t b = a + 1; b < all.size(); ++b) {
        std::vector<Founder> common;
        std::ranges::set_intersection(all[a], all[b], std::back_inserter(common));
        EXPECT_LE(common.size(), 1u) << "seed " << seed;
      }
    }
  }
  EXPECT_GT(formed, 1000);
}

}  // namespace
}  // namespace chronik::broker
