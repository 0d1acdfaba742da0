#include "broker/net/cluster_port.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/net/test_peers.h"

namespace chronik::broker {
namespace {

using testing::ElementsAre;

ClusterSettings settings_of_three() {
  ClusterSettings settings;
  settings.nodes = {{1, "a", 7001, false}, {2, "b", 7002, false}, {3, "c", 7003, true}};
  settings.listeners = {{"", 7002}};
  settings.election_timeout = milliseconds(900);
  settings.heartbeat_interval = milliseconds(90);
  settings.frame_bytes_max = 1000;
  settings.queue_bytes_max = 5000;
  return settings;
}

TEST(ClusterPort, IsMadeFromSettingsAndDirectory) {
  const ClusterSettings settings = settings_of_three();
  wal::DirectoryStamp stamp{1, "", 2, test_uuid(5)};
  const PeerOptions fresh = peer_options(settings, stamp, std::nullopt, test_uuid(6));
  EXPECT_THAT(fresh.others, ElementsAre(PeerAddress{1, "a", 7001}, PeerAddress{3, "c", 7003}));
  EXPECT_EQ(fresh.self.node, 2);
  EXPECT_EQ(fresh.self.directory, test_uuid(5));
  EXPECT_EQ(fresh.self.incarnation, test_uuid(6));
  EXPECT_TRUE(fresh.self.cluster_id.is_zero());
  EXPECT_TRUE(fresh.self.founders.empty());
  EXPECT_EQ(fresh.silence_max, milliseconds(900));
  EXPECT_THAT(voters_of(settings), ElementsAre(1, 2));
  // The id that was given, until the directory has one.
  EXPECT_EQ(peer_options(settings, stamp, test_uuid(7), test_uuid(6)).self.cluster_id,
            test_uuid(7));
}

// Its data is the cluster's: the others come to it, and it does not wait to found one with them.
TEST(ClusterPort, ADirectoryThatWasAloneIsTheFirstOfItsCluster) {
  const wal::DirectoryStamp stamp{1, test_uuid(9).to_string(), 2, test_uuid(5)};
  const PeerOptions options = peer_options(settings_of_three(), stamp, std::nullopt, test_uuid(6));
  EXPECT_EQ(options.self.cluster_id, test_uuid(9));
  EXPECT_THAT(options.self.founders, ElementsAre(Founder{2, test_uuid(5)}));
}

/// A node that joins as a composition would let it.
class JoiningNode {
 public:
  JoiningNode(TestPeer& peer, std::vector<NodeId> voters) : peer_(peer) {
    peer_.on_shard([&] {
      join_ = std::make_unique<ClusterJoin>(
          peer_.transport(), std::move(voters),
          [this](const ClusterJoin::Outcome& outcome) { on_decided(outcome); });
    });
    peer_.heard.on_event = [this](std::string_view what, NodeId node) {
      if (what == "up") join_->on_node_up(node);
      if (what == "down") join_->on_node_down(node);
      if (what == "changed") join_->on_node_changed(node);
    };
    peer_.on_shard([&] { join_->start(); });
  }

  ~JoiningNode() { peer_.stop(); }

  ClusterJoin::Outcome await_outcome() {
    std::unique_lock lock(mutex_);
    CHECK(decided_.wait_for(lock, std::chrono::milliseconds(TestClient::patience_ms),
                            [this] { return outcome_.has_value(); }));
    return *outcome_;
  }
  bool decided() {
    std::lock_guard lock(mutex_);
    return outcome_.has_value();
  }

 private:
  void on_decided(const ClusterJoin::Outcome& outcome) {
    peer_.transport().set_identity(outcome.cluster_id, outcome.founders, {});
    std::lock_guard lock(mutex_);
    outcome_ = outcome;
    decided_.notify_all();
  }

  TestPeer& peer_;
  std::unique_ptr<ClusterJoin> join_;
  std::mutex mutex_;
  std::condition_variable decided_;
  std::optional<ClusterJoin::Outcome> outcome_;
};

void forget_cluster(PeerOptions& options) { options.self.cluster_id = {}; }

TEST(ClusterPort, ThreeFreshNodesBecomeOneCluster) {
  TestPeers peers(3, forget_cluster);
  std::vector<std::unique_ptr<JoiningNode>> nodes;
  for (const NodeId node : {1, 2, 3}) {
    nodes.push_back(std::make_unique<JoiningNode>(peers[node], std::vector<NodeId>{1, 2, 3}));
  }
  peers[1].start();
  peers[2].start();
  ASSERT_TRUE(peers[1].heard.await_event("up 2"));
  EXPECT_FALSE(nodes[0]->decided());
  peers[3].start();
  const ClusterJoin::Outcome first = nodes[0]->await_outcome();
  for (auto& node : nodes) {
    const ClusterJoin::Outcome outcome = node->await_outcome();
    EXPECT_EQ(outcome.kind, ClusterJoin::Outcome::Kind::founder);
    EXPECT_EQ(outcome.cluster_id, first.cluster_id);
    EXPECT_EQ(outcome.founders, first.founders);
  }
  // None of them went away for that, and they still talk.
  peers[1].send(3, "hello");
  EXPECT_TRUE(peers[3].heard.await_messages(1));
  EXPECT_EQ(peers[1].heard.count("down 2") + peers[1].heard.count("down 3"), 0u);
}

TEST(ClusterPort, AFreshNodeLearnsTheClusterOfTheOthers) {
  TestPeers peers(3, [](PeerOptions& options) {
    if (options.self.node == 3) {
      options.self.cluster_id = {};
    } else {
      options.self.founders = {{1, test_uuid(101)}, {2, test_uuid(102)}, {3, test_uuid(1)}};
    }
  });
  JoiningNode third(peers[3], {1, 2, 3});
  peers[1].start();
  peers[3].start();
  const ClusterJoin::Outcome outcome = third.await_outcome();
  EXPECT_EQ(outcome.kind, ClusterJoin::Outcome::Kind::newcomer);
  EXPECT_EQ(outcome.cluster_id, test_uuid(1));
  // And the others learn that it has.
  ASSERT_TRUE(peers[1].heard.await_event("up 3"));
  const auto known = [&] { return peers[1].transport().hello_of(3)->cluster_id; };
  const SteadyTime deadline = SystemClock().steady_now() + std::chrono::seconds(20);
  while (peers[1].on_shard(known).is_zero()) ASSERT_LT(SystemClock().steady_now(), deadline);
  EXPECT_EQ(peers[1].on_shard(known), test_uuid(1));
}

TEST(ClusterPort, WhoHasLearnedOfAnotherClusterIsDisconnected) {
  TestPeers peers(2, [](PeerOptions& options) {
    if (options.self.node == 2) options.self.cluster_id = {};
  });
  peers.start_all();
  ASSERT_TRUE(peers.await_all_up());
  peers[2].on_shard([&] { peers[2].transport().set_identity(test_uuid(2), {}, {}); });
  EXPECT_TRUE(peers[1].heard.await_event("down 2"));
  EXPECT_TRUE(peers[2].heard.await_event("down 1"));
  EXPECT_TRUE(await_counter(peers[1].metrics().refusals, 1));
}

}  // namespace
}  // namespace chronik::broker
