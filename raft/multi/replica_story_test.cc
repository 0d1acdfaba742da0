// Stories that the simulator of whole nodes (integration/sim) has told, as tests of three replicas.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include "raft/multi/test_register.h"

namespace chronik::raft {
namespace {

using testing::batch_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::RegisterSetup;
using testing::TestCluster;
using testing::TestNode;
using testing::TestRegister;

class ReplicaStory : public ::testing::Test {
 protected:
  using Outcome = std::shared_ptr<std::optional<Result<Position>>>;

  Replica& replica(NodeId id) { return *setup_.replicas.at(id); }
  std::vector<std::string>& values(NodeId id) { return setup_.machines.at(id)->state.values; }

  NodeId await_leader() {
    NodeId leader = no_node;
    EXPECT_TRUE(cluster_.run_until([&] {
      for (const auto& [id, replica] : setup_.replicas) {
        if (replica->leadership().ready) leader = id;
      }
      return leader != no_node;
    }));
    return leader;
  }
  Outcome propose(NodeId id, const std::string& value, ProposeOptions options = {}) {
    auto outcome = std::make_shared<std::optional<Result<Position>>>();
    replica(id).propose(batch_of(value), options,
                        [outcome](Result<Position> result) { *outcome = std::move(result); });
    return outcome;
  }
  void must_propose(NodeId id, const std::string& value) {
    const Outcome outcome = propose(id, value);
    EXPECT_TRUE(cluster_.run_until([&] { return outcome->has_value(); }));
    EXPECT_TRUE(outcome->value());
  }
  /// All nodes that are up come to have these many values.
  void await_values(std::size_t count) {
    EXPECT_TRUE(cluster_.run_until([&] {
      return std::ranges::all_of(setup_.replicas,
                                 [&](const auto& at) { return values(at.first).size() == count; });
    }));
  }

  /// The next start scans nothing before the log's end.
  void make_checkpoint(NodeId id) {
    for (const int seconds : {1, 60}) {
      cluster_.node(id).group_commit->tick(cluster_.now() + std::chrono::seconds(seconds));
      cluster_.run(milliseconds(10));
    }
  }

  RegisterSetup setup_;
  TestCluster cluster_{1, 3, setup_};
};

// What waits when a node is stopped may be in the leader's log: "not taken" would be a lie, after
// which a client makes its change a second time, or tells its user that there is none.
TEST_F(ReplicaStory, ANodeThatStopsSaysOfWhatItAskedThatItDoesNotKnow) {
  cluster_.start_all();
  const NodeId first = await_leader();
  const NodeId other = first % 3 + 1;
  cluster_.network.block(first, other);
  const auto asked = propose(other, "asked");
  cluster_.run(milliseconds(50));
  cluster_.node(other).manager->close();
  ASSERT_TRUE(*asked);
  EXPECT_EQ((*asked)->error().code, Errc::timeout);
  EXPECT_THAT((*asked)->error().message, HasSubstr("not known"));
  EXPECT_THAT(values(first), ElementsAre("asked"));
  EXPECT_EQ((*propose(other, "refused"))->error().code, Errc::closed);
}

// One that may be made twice is asked again when the leader is lost; if nobody leads then, the
// first try may still have been appended.
TEST_F(ReplicaStory, ARepeatedProposalThatFindsNoLeaderIsNotSaidToBeUndone) {
  cluster_.start_all();
  const NodeId first = await_leader();
  const NodeId other = first % 3 + 1;
  cluster_.network.block(first, other);
  const auto unsure = propose(other, "made", {.idempotent = true, .timeout = milliseconds(1'000)});
  cluster_.run(milliseconds(50));
  EXPECT_THAT(values(first), ElementsAre("made"));
  cluster_.network.isolate(other);
  cluster_.node(other).manager->on_node_down(first);
  EXPECT_TRUE(cluster_.run_until([&] { return unsure->has_value(); }));
  EXPECT_EQ((*unsure)->error().code, Errc::timeout);
  EXPECT_THAT((*unsure)->error().message, HasSubstr("not known"));
}

// The leader's heartbeats came before this node's own connection to it stood again. What was asked
// then went nowhere, and its outcome was waited for until its time was over.
TEST_F(ReplicaStory, WhoHearsTheLeaderAndIsNotConnectedAsksWhenItIs) {
  cluster_.start_all();
  const NodeId first = await_leader();
  const NodeId other = first % 3 + 1;
  must_propose(other, "before");
  cluster_.network.block(other, first);
  cluster_.node(other).manager->on_node_down(first);
  const auto asked = propose(other, "asked");
  EXPECT_TRUE(cluster_.run_until([&] { return replica(other).raft().leader() == first; }));
  cluster_.run(milliseconds(50));
  EXPECT_FALSE(*asked);
  cluster_.network.heal();
  cluster_.node(other).manager->on_node_up(first, cluster_.node(first).directory_id());
  cluster_.run(milliseconds(100));
  ASSERT_TRUE(*asked);
  EXPECT_TRUE(**asked);
  EXPECT_THAT(values(first), ElementsAre("before", "asked"));
}

// So did a read, of which a question or an answer was lost.
TEST_F(ReplicaStory, AReadIsAskedForAgainWhenItWasLost) {
  cluster_.start_all();
  const NodeId first = await_leader();
  const NodeId other = first % 3 + 1;
  must_propose(other, "before");
  const auto read = [&] {
    auto outcome = std::make_shared<std::optional<Result<Index>>>();
    replica(other).read(milliseconds(5'000),
                        [outcome](Result<Index> result) { *outcome = std::move(result); });
    return outcome;
  };
  for (const bool question : {true, false}) {
    cluster_.network.block(question ? other : first, question ? first : other);
    const auto lost = read();
    cluster_.run(milliseconds(50));
    EXPECT_FALSE(*lost);
    cluster_.network.heal();
    cluster_.run(milliseconds(300));
    ASSERT_TRUE(*lost) << question;
    EXPECT_TRUE(**lost);
  }
  cluster_.network.block(other, first);
  cluster_.node(other).manager->on_node_down(first);
  EXPECT_TRUE(cluster_.run_until([&] { return replica(other).raft().leader() == first; }));
  const auto asked = read();
  cluster_.run(milliseconds(50));
  cluster_.network.heal();
  cluster_.node(other).manager->on_node_up(first, cluster_.node(first).directory_id());
  cluster_.run(milliseconds(20));
  ASSERT_TRUE(*asked);
  EXPECT_TRUE(**asked);
}

// Their places were behind all that the next leader had. Nobody made another change, and whoever
// had asked waited for entries at those places until the time was over.
TEST_F(ReplicaStory, WhatOnlyTheLastLeaderHadIsKnownToBeLostOnceTheNextOneIsHeard) {
  cluster_.start_all();
  const NodeId first = await_leader();
  must_propose(first, "before");
  cluster_.network.isolate(first);
  std::vector<Outcome> lost(5);
  for (Outcome& outcome : lost) outcome = propose(first, "lost");
  const Outcome twice = propose(first, "again", {.idempotent = true});
  ASSERT_TRUE(cluster_.run_until([&] {
    return std::ranges::any_of(setup_.replicas, [&](const auto& at) {
      return at.first != first && at.second->leadership().ready;
    });
  }));
  cluster_.network.heal();
  EXPECT_TRUE(cluster_.run_until([&] { return values(first).size() == 2; }));
  for (const Outcome& outcome : lost) {
    ASSERT_TRUE(*outcome);
    EXPECT_EQ((*outcome)->error().code, Errc::not_leader);
  }
  EXPECT_TRUE(*twice && **twice);
  EXPECT_THAT(values(first), ElementsAre("before", "again"));
}

// A node that joined knows of no membership at the begin of its log. It met the damage, ended, and
// met it again with every start, for ever.
TEST_F(ReplicaStory, ANodeThatJoinedCopiesItsLogAgainWhenItMeetsDamageWhileItRuns) {
  setup_.segment_bytes = 2'000;
  cluster_.start_all();
  const NodeId first = await_leader();
  for (int i = 0; i < 60; ++i) must_propose(first, std::string(100, 'x') + std::to_string(i));
  cluster_.add_node(4);
  setup_.bootstrap = {};
  ASSERT_TRUE(cluster_.start(4));
  replica(first).change_membership(std::vector<MemberChange>{{MemberChange::Kind::add_learner, 4}},
                                   milliseconds(5000),
                                   [](const Result<Position>& done) { EXPECT_TRUE(done); });
  await_values(60);
  make_checkpoint(4);
  cluster_.crash(4);
  // Where no start looks.
  cluster_.node(4).disk.flip_bit(RegisterSetup::directory() + "/00000000000000000000.log", 300, 1);
  ASSERT_TRUE(cluster_.start(4));
  EXPECT_TRUE(cluster_.run_until([&] { return !cluster_.node(4).fatal.empty(); }));
  cluster_.crash(4);
  ASSERT_TRUE(cluster_.start(4));
  await_values(60);
  EXPECT_EQ(values(4).size(), 60u);
}

// A read that fails is no damage. The node gave up a good log, with what only it and one other node
// had.
TEST_F(ReplicaStory, ADiskThatFailsToReadEndsTheNodeAndItsLogIsKept) {
  cluster_.start_all();
  const NodeId first = await_leader();
  for (int i = 0; i < 60; ++i) must_propose(first, std::string(100, 'x') + std::to_string(i));
  await_values(60);
  const NodeId other = first % 3 + 1;
  cluster_.crash(other);
  ASSERT_TRUE(cluster_.start(other));
  MemoryDisk& disk = cluster_.node(other).disk;
  disk.power_off_after(0);
  EXPECT_FALSE(disk.make_directory("data/anything"));
  EXPECT_TRUE(cluster_.run_until([&] { return !cluster_.node(other).fatal.empty(); }));
  cluster_.crash(other);
  ASSERT_TRUE(cluster_.start(other));
  EXPECT_FALSE(replica(other).raft().is_withheld());
  await_values(60);
}

// The entries of old could not be cut off (here: a bit of one has flipped), and stayed. What the
// node still had on its disk counted for the entries that the leader had sent in their place.
TEST_F(ReplicaStory, ANodeThatCannotCutItsLogAcknowledgesNothingMore) {
  cluster_.start_all();
  const NodeId first = await_leader();
  must_propose(first, "kept");
  await_values(1);
  cluster_.network.isolate(first);
  Outcome lost;
  for (int i = 0; i < 3; ++i) lost = propose(first, "lost");
  cluster_.run(milliseconds(50));
  const Index common = replica(first).raft().log().commit();
  ASSERT_GT(replica(first).store().log().durable_last_index(), common);
  NodeId next = no_node;
  ASSERT_TRUE(cluster_.run_until([&] {
    for (const auto& [id, other] : setup_.replicas) {
      if (id != first && other->leadership().ready) next = id;
    }
    return next != no_node;
  }));
  must_propose(next, "new");
  TestNode& node = cluster_.node(first);
  const std::string file = RegisterSetup::directory() + "/00000000000000000000.log";
  node.disk.flip_bit(file, 10, 1);
  cluster_.network.heal();
  const auto progress = [&] {
    return *std::ranges::find(replica(next).raft().progress(), first, &Progress::id);
  };
  EXPECT_TRUE(cluster_.run_until([&] { return !node.fatal.empty(); }));
  cluster_.run(milliseconds(50));
  EXPECT_LE(progress().match, common);
  EXPECT_TRUE(lost->has_value());
  EXPECT_THAT(values(first), ElementsAre("kept"));

  cluster_.crash(first);
  ASSERT_TRUE(cluster_.start(first));
  EXPECT_TRUE(replica(first).raft().is_withheld());
  await_values(2);
  EXPECT_THAT(values(first), ElementsAre("kept", "new"));
}

// The state file says where the log is to begin before it does. A node that died between the two
// and lost its snapshots replays the log from its old begin; the snapshot it wrote on the way ended
// before the first membership known, and ended the process, with every start.
TEST_F(ReplicaStory, ASnapshotOfBeforeTheFirstMembershipKnownIsNotOffered) {
  setup_.segment_bytes = 2'000;
  cluster_.start_all();
  const NodeId first = await_leader();
  for (int i = 0; i < 60; ++i) must_propose(first, std::string(100, 'x') + std::to_string(i));
  await_values(60);
  const NodeId other = first % 3 + 1;
  const auto snapshot_and_compact = [&] {
    TestRegister& machine = *setup_.machines.at(other);
    ASSERT_TRUE(replica(other).on_snapshot_written(machine.write_snapshot()));
    replica(other).compact(machine.state.offset);
  };
  snapshot_and_compact();
  const Index end = replica(other).applied().index;
  TestNode& node = cluster_.node(other);
  const StateFile state(node.disk, RegisterSetup::directory(), replica(other).group());
  while (state.look().value()->base.index == 0) ASSERT_TRUE(node.executor.step());
  setup_.machines.at(other)->forget();
  cluster_.crash(other);
  ASSERT_TRUE(cluster_.start(other));
  await_values(60);
  ASSERT_EQ(replica(other).store().first_index(), 1);
  ASSERT_GT(replica(other).raft().log().memberships_begin(), 10);
  EXPECT_FALSE(replica(other).on_snapshot_written(10));
  EXPECT_EQ(replica(other).store().snapshot().index, 0);
  snapshot_and_compact();
  EXPECT_EQ(replica(other).store().snapshot().index, end);
  EXPECT_GT(replica(other).store().first_index(), 1);
}

// The log goes first, then it goes on behind the snapshot. A node that lost its power between the
// two took itself for one whose log was damaged, and had no vote until somebody else led.
TEST_F(ReplicaStory, ANodeThatDiedWhileItInstalledASnapshotCompletesThat) {
  setup_.segment_bytes = 2'000;
  int interrupted = 0;
  for (std::uint64_t n = 0;; ++n) {
    TestCluster cluster{n + 1, 3, setup_};
    cluster.start_all();
    NodeId first = no_node;
    ASSERT_TRUE(cluster.run_until([&] {
      for (const auto& [id, replica] : setup_.replicas) {
        if (replica->leadership().ready) first = id;
      }
      return first != no_node;
    }));
    const auto write = [&](int count) {
      for (int i = 0; i < count; ++i) {
        replica(first).propose(batch_of(std::string(100, 'x')), {},
                               [](const Result<Position>& done) { EXPECT_TRUE(done); });
        cluster.run(milliseconds(20));
      }
    };
    write(20);
    const NodeId other = first % 3 + 1;
    cluster.network.isolate(other);
    write(40);
    TestRegister& machine = *setup_.machines.at(first);
    ASSERT_TRUE(replica(first).on_snapshot_written(machine.write_snapshot()));
    replica(first).compact(machine.state.offset);
    cluster.run(milliseconds(100));
    cluster.network.heal();
    MemoryDisk& disk = cluster.node(other).disk;
    disk.power_off_after(n);
    const bool done = cluster.run_until([&] { return disk.struck() || values(other).size() == 60; },
                                        milliseconds(5'000));
    ASSERT_TRUE(done) << n;
    const bool struck = disk.struck();
    cluster.crash(other, CrashModel::reordered);
    ASSERT_TRUE(cluster.start(other)) << n;
    EXPECT_FALSE(replica(other).raft().is_withheld()) << n;
    interrupted += struck ? 1 : 0;
    if (!struck) break;
  }
  EXPECT_GT(interrupted, 10);
}

}  // namespace
}  // namespace chronik::raft
