// Three nodes in one thread: what is acknowledged is on a majority's disks and comes out the same
// everywhere, whatever happens to nodes, network and disks.
#include "raft/multi/raft_replica_manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include "raft/multi/test_register.h"

namespace chronik::raft {
namespace {

using testing::batch_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::RegisterSetup;
using testing::TestCluster;

struct Outcome {
  std::string value;
  std::optional<Result<Position>> result;
  bool ok() const { return result && result->has_value(); }
};

class ReplicatedRegister : public ::testing::Test {
 protected:
  explicit ReplicatedRegister(std::uint64_t seed = 1) : cluster_(seed, 3, setup_) {}

  testing::TestRegister& machine(NodeId id) { return *setup_.machines.at(id); }
  Replica& replica(NodeId id) { return *setup_.replicas.at(id); }
  std::vector<std::string>& values(NodeId id) { return machine(id).state.values; }

  NodeId leader() {
    for (const auto& [id, replica] : setup_.replicas) {
      if (replica->leadership().ready && cluster_.node(id).fatal.empty()) return id;
    }
    return no_node;
  }
  NodeId await_leader(NodeId other_than = no_node) {
    const bool found =
        cluster_.run_until([&] { return leader() != no_node && leader() != other_than; });
    EXPECT_TRUE(found);
    return leader();
  }
  NodeId follower(NodeId leader_id) { return leader_id % 3 + 1; }

  std::shared_ptr<Outcome> propose(NodeId id, const std::string& value,
                                   ProposeOptions options = {}) {
    auto outcome = std::make_shared<Outcome>();
    outcome->value = value;
    replica(id).propose(batch_of(value), options, [outcome](Result<Position> result) {
      CHECK(!outcome->result);  // told once
      outcome->result = std::move(result);
    });
    outcomes_.push_back(outcome);
    return outcome;
  }
  std::shared_ptr<Outcome> must_propose(NodeId id, const std::string& value) {
    auto outcome = propose(id, value);
    EXPECT_TRUE(cluster_.run_until([&] { return outcome->result.has_value(); }));
    EXPECT_TRUE(outcome->ok()) << (outcome->ok() ? "" : outcome->result->error().message);
    return outcome;
  }
  /// All nodes that are up have the same values, and each acknowledged one exactly once.
  void expect_agreement() {
    const bool equal = cluster_.run_until([&] {
      for (const auto& [id, at] : setup_.replicas) {
        if (machine(id).state.applied != machine(setup_.replicas.begin()->first).state.applied) {
          return false;
        }
      }
      return leader() != no_node;
    });
    EXPECT_TRUE(equal);
    const std::vector<std::string>& first = values(setup_.replicas.begin()->first);
    for (const auto& [id, at] : setup_.replicas) EXPECT_EQ(values(id), first) << id;
    for (const auto& outcome : outcomes_) {
      const auto count = std::ranges::count(first, outcome->value);
      if (outcome->ok()) {
        EXPECT_EQ(count, 1) << outcome->value;
      } else {
        EXPECT_LE(count, 1) << outcome->value;
      }
    }
  }

  RegisterSetup setup_;
  std::vector<std::shared_ptr<Outcome>> outcomes_;
  TestCluster cluster_;
};

TEST_F(ReplicatedRegister, ElectsOneLeaderAndReplicatesWhatItTakes) {
  cluster_.start_all();
  const NodeId first = await_leader();
  must_propose(first, "a");
  must_propose(follower(first), "b");
  expect_agreement();
  EXPECT_THAT(values(1), ElementsAre("a", "b"));
  for (const NodeId id : cluster_.ids()) {
    EXPECT_EQ(replica(id).leadership().leader, first);
    EXPECT_EQ(machine(id).leadership, replica(id).leadership());
    EXPECT_EQ(machine(id).leadership.ready, id == first);
  }
}

TEST_F(ReplicatedRegister, NothingIsAcknowledgedThatOneNodeAloneHas) {
  cluster_.start_all();
  const NodeId old = await_leader();
  cluster_.network.isolate(old);
  const auto outcome = propose(old, "lonely");
  cluster_.run(milliseconds(500));
  EXPECT_FALSE(outcome->result.has_value());
  EXPECT_THAT(values(old), IsEmpty());
  const NodeId next = await_leader(old);
  must_propose(next, "kept");
  cluster_.network.heal();
  expect_agreement();
  ASSERT_TRUE(outcome->result.has_value());
  EXPECT_FALSE(outcome->ok());
  EXPECT_THAT(values(old), ElementsAre("kept"));
}

// Chronik 1.8 (6, 20): entries and votes are on disk before anybody is told.
TEST_F(ReplicatedRegister, PowerCutsOfAllNodesAtOnceLoseNothingAcknowledged) {
  cluster_.start_all();
  for (int round = 0; round < 8; ++round) {
    const NodeId id = await_leader();
    for (int i = 0; i < 5; ++i) must_propose(id, fmt::format("{}-{}", round, i));
    for (int i = 0; i < 3; ++i) propose(id, fmt::format("{}-unsure-{}", round, i));
    const CrashModel model = round % 2 == 0 ? CrashModel::ordered : CrashModel::reordered;
    for (const NodeId each : cluster_.ids()) cluster_.crash(each, model, false);
    cluster_.start_all();
  }
  await_leader();
  expect_agreement();
  EXPECT_GE(values(1).size(), 40u);
}

TEST_F(ReplicatedRegister, AKilledLeaderIsReplacedByOneThatHasEverything) {
  cluster_.start_all();
  const NodeId old = await_leader();
  for (int i = 0; i < 20; ++i) must_propose(old, fmt::format("before-{}", i));
  const SteadyTime killed = cluster_.now();
  cluster_.crash(old);
  const NodeId next = await_leader(old);
  EXPECT_EQ(values(next).size(), 20u);
  must_propose(next, "after");
  // Its connections were closed, so nobody waits for a timeout.
  EXPECT_LT(cluster_.now() - killed, milliseconds(1000));
  ASSERT_TRUE(cluster_.start(old));
  must_propose(old, "and again");
  expect_agreement();
}

// Chronik 1.8 (5): a follower forwards, and its own answer shows its own state.
TEST_F(ReplicatedRegister, AFollowerReadsItsOwnWrites) {
  cluster_.start_all();
  const NodeId other = follower(await_leader());
  for (int i = 0; i < 10; ++i) {
    const std::string value = fmt::format("v{}", i);
    bool seen = false;
    replica(other).propose(batch_of(value), {}, [&](const Result<Position>& result) {
      EXPECT_TRUE(result);
      seen = !values(other).empty() && values(other).back() == value;
    });
    EXPECT_TRUE(cluster_.run_until([&] { return seen; }));
  }
}

TEST_F(ReplicatedRegister, ALostAnswerIsNoSuccessAndNothingIsDoneTwice) {
  cluster_.start_all();
  const NodeId first = await_leader();
  const NodeId other = follower(first);
  // The leader's answer is lost, the entry is not.
  cluster_.network.filter = [&](const testing::FakeNetwork::Frame& frame) {
    auto decoded = decode_frame(frame.from, frame.to, frame.bytes);
    return decoded && std::holds_alternative<ForwardAnswer>(*decoded);
  };
  const auto outcome = propose(other, "once", {.timeout = milliseconds(1000)});
  EXPECT_TRUE(cluster_.run_until([&] { return outcome->result.has_value(); }));
  EXPECT_EQ(outcome->result->error().code, Errc::timeout);
  EXPECT_THAT(outcome->result->error().message, HasSubstr("not known"));
  cluster_.network.filter = {};
  must_propose(other, "next");
  expect_agreement();
  EXPECT_EQ(std::ranges::count(values(1), "once"), 1);
}

TEST_F(ReplicatedRegister, WhoAskedALeaderThatIsCutOffIsToldSoonAfterTheNextOneLeads) {
  cluster_.start_all();
  const NodeId first = await_leader();
  cluster_.network.isolate(first);
  const auto outcome = propose(follower(first), "lost", {.timeout = milliseconds(60'000)});
  await_leader(first);
  EXPECT_TRUE(cluster_.run_until([&] { return outcome->result.has_value(); }, milliseconds(1000)));
  EXPECT_EQ(outcome->result->error().code, Errc::timeout);
}

TEST_F(ReplicatedRegister, ALostQuestionIsNoSuccessEither) {
  cluster_.start_all();
  const NodeId other = follower(await_leader());
  cluster_.network.filter = [&](const testing::FakeNetwork::Frame& frame) {
    auto decoded = decode_frame(frame.from, frame.to, frame.bytes);
    return decoded && std::holds_alternative<ForwardedProposal>(*decoded);
  };
  const auto outcome = propose(other, "never", {.timeout = milliseconds(1000)});
  EXPECT_TRUE(cluster_.run_until([&] { return outcome->result.has_value(); }));
  EXPECT_EQ(outcome->result->error().code, Errc::timeout);
  cluster_.network.filter = {};
  expect_agreement();
  EXPECT_THAT(values(1), IsEmpty());
}

TEST_F(ReplicatedRegister, AFollowerWhoseLeaderDiesIsToldThatItDoesNotKnow) {
  cluster_.start_all();
  const NodeId first = await_leader();
  const NodeId other = follower(first);
  cluster_.network.block(first, other);
  const auto unsure = propose(other, "unsure");
  const auto again = propose(other, "again", {.idempotent = true, .timeout = milliseconds(10'000)});
  cluster_.run(milliseconds(10));
  cluster_.network.heal();
  cluster_.crash(first);
  EXPECT_TRUE(cluster_.run_until([&] { return unsure->result && again->result; }));
  EXPECT_EQ(unsure->result->error().code, Errc::timeout);
  EXPECT_TRUE(again->ok());
  ASSERT_TRUE(cluster_.start(first));
  await_leader();
  cluster_.run(milliseconds(2000));
  EXPECT_GE(std::ranges::count(values(other), "again"), 1);
}

// Chronik 1.8 (14): who proposes while it is being answered waits for nobody.
TEST_F(ReplicatedRegister, AnAnswerMayProposeAndReadAgain) {
  cluster_.start_all();
  const NodeId first = await_leader();
  for (const NodeId id : {first, follower(first)}) {
    int answered = 0;
    std::function<void(const Result<Position>&)> next = [&](const Result<Position>& result) {
      EXPECT_TRUE(result);
      if (++answered == 5) return;
      replica(id).propose(batch_of(fmt::format("{}-{}", id, answered)), {}, next);
      replica(id).read(milliseconds(1000), [](const Result<Index>& index) { EXPECT_TRUE(index); });
    };
    replica(id).propose(batch_of(fmt::format("{}-0", id)), {}, next);
    EXPECT_TRUE(cluster_.run_until([&] { return answered == 5; }));
  }
  expect_agreement();
  EXPECT_EQ(values(1).size(), 10u);
}

// Chronik 1.8 (3, 12): what is sent before a node is there is lost, and nobody waits for that node.
TEST_F(ReplicatedRegister, TwoNodesBeginWithoutTheThirdWhichGetsEverythingLater) {
  ASSERT_TRUE(cluster_.start(1));
  cluster_.run(milliseconds(3000));
  EXPECT_EQ(leader(), no_node);
  ASSERT_TRUE(cluster_.start(2));
  must_propose(await_leader(), "a");
  ASSERT_TRUE(cluster_.start(3));
  expect_agreement();
  EXPECT_THAT(values(3), ElementsAre("a"));
}

// What a coordinator decided from its own memory holds only as long as it is the coordinator.
TEST_F(ReplicatedRegister, ADecisionOfAnOldTermIsNotAppended) {
  cluster_.start_all();
  const NodeId first = await_leader();
  const Term term = replica(first).leadership().term;
  const auto good = propose(first, "in term", {.only_in_term = term});
  EXPECT_TRUE(cluster_.run_until([&] { return good->result.has_value(); }));
  EXPECT_TRUE(good->ok());
  const auto early = propose(first, "later term", {.only_in_term = term + 1});
  const auto elsewhere = propose(follower(first), "forwarded", {.only_in_term = term});
  ASSERT_TRUE(early->result && elsewhere->result);
  EXPECT_EQ(early->result->error().code, Errc::not_leader);
  EXPECT_EQ(elsewhere->result->error().code, Errc::not_leader);
  ASSERT_TRUE(replica(first).transfer_leadership(follower(first)));
  await_leader(first);
  const auto late = propose(first, "old term", {.only_in_term = term});
  ASSERT_TRUE(late->result);
  EXPECT_EQ(late->result->error().code, Errc::not_leader);
  expect_agreement();
  EXPECT_THAT(values(1), ElementsAre("in term"));
}

TEST_F(ReplicatedRegister, WithoutAMajorityAChangeEndsInATimeoutThatSaysSo) {
  cluster_.start_all();
  await_leader();
  cluster_.crash(1);
  cluster_.crash(2);
  cluster_.run(milliseconds(3000));  // the third one knows that it leads nobody
  const auto outcome = propose(3, "x", {.timeout = milliseconds(1000)});
  EXPECT_TRUE(cluster_.run_until([&] { return outcome->result.has_value(); }));
  EXPECT_EQ(outcome->result->error().code, Errc::timeout);
  EXPECT_THAT(outcome->result->error().message, HasSubstr("majority"));
}

TEST_F(ReplicatedRegister, ACleanStopHandsOverAtOnce) {
  cluster_.start_all();
  const NodeId first = await_leader();
  must_propose(first, "a");
  bool handed_over = false;
  const SteadyTime begin = cluster_.now();
  cluster_.node(first).manager->hand_over(milliseconds(1000), [&] { handed_over = true; });
  const auto outcome = propose(follower(first), "meanwhile");
  EXPECT_TRUE(cluster_.run_until([&] { return handed_over && leader() != no_node; }));
  EXPECT_NE(leader(), first);
  EXPECT_LT(cluster_.now() - begin, milliseconds(100));
  EXPECT_TRUE(cluster_.run_until([&] { return outcome->result.has_value(); }));
  EXPECT_TRUE(outcome->ok());
  expect_agreement();
}

TEST_F(ReplicatedRegister, ALeaderThatDeclinedIsAskedAgainWhenItsHandOverFails) {
  cluster_.start_all();
  const NodeId first = await_leader();
  const NodeId target = follower(first);
  const NodeId other = 6 - first - target;
  cluster_.network.isolate(target);
  ASSERT_TRUE(replica(first).transfer_leadership(target));
  const auto outcome = propose(other, "patient");
  cluster_.run(milliseconds(300));
  EXPECT_FALSE(outcome->result.has_value());
  EXPECT_TRUE(cluster_.run_until([&] { return outcome->result.has_value(); }));
  EXPECT_TRUE(outcome->ok());
  EXPECT_EQ(leader(), first);
  cluster_.network.heal();
  expect_agreement();
}

TEST_F(ReplicatedRegister, ReadsAreOfEverythingAcknowledgedBefore) {
  cluster_.start_all();
  const NodeId first = await_leader();
  must_propose(first, "a");
  bool read = false;
  replica(follower(first)).read(milliseconds(2000), [&](const Result<Index>& index) {
    ASSERT_TRUE(index);
    EXPECT_EQ(values(follower(first)).size(), 1u);
    read = true;
  });
  EXPECT_TRUE(cluster_.run_until([&] { return read; }));
  // A leader that was cut off does not answer from what it had.
  cluster_.network.isolate(first);
  std::optional<Errc> refused;
  replica(first).read(milliseconds(2000), [&](const Result<Index>& index) {
    if (!index) refused = index.error().code;
  });
  EXPECT_TRUE(cluster_.run_until([&] { return refused.has_value(); }));
  EXPECT_EQ(refused, Errc::timeout);
}

TEST_F(ReplicatedRegister, ARestartedFollowerCatchesUpFromTheLog) {
  cluster_.start_all();
  const NodeId first = await_leader();
  const NodeId other = follower(first);
  cluster_.crash(other, CrashModel::reordered);
  for (int i = 0; i < 50; ++i) must_propose(first, fmt::format("v{}", i));
  ASSERT_TRUE(cluster_.start(other));
  expect_agreement();
  EXPECT_EQ(values(other).size(), 50u);
  EXPECT_EQ(machine(other).restores, 0);
}

// Chronik 1.8 (10): a snapshot is sent once, in parts, and survives that parts are lost.
TEST_F(ReplicatedRegister, AFollowerFarBehindGetsASnapshotAlsoOverABadNetwork) {
  setup_.segment_bytes = 20'000;
  cluster_.start_all();
  const NodeId first = await_leader();
  const NodeId other = follower(first);
  must_propose(first, "known");
  cluster_.run(milliseconds(500));
  cluster_.crash(other, CrashModel::reordered);
  std::string large(10'000, 'x');
  for (int i = 0; i < 100; ++i) must_propose(first, large + std::to_string(i));
  for (const NodeId id : cluster_.ids()) {
    if (id == other) continue;
    cluster_.run_until([&] { return values(id).size() == 101; });
    const Index index = machine(id).write_snapshot();
    replica(id).on_snapshot_written(index);
    replica(id).compact(machine(id).state.offset - 1);
  }
  must_propose(first, "behind the snapshot");
  ASSERT_GT(replica(first).store().first_index(), 50);
  cluster_.network.faults.lose_one_in = 5;
  ASSERT_TRUE(cluster_.start(other));
  EXPECT_TRUE(cluster_.run_until([&] { return values(other).size() == 102; }));
  EXPECT_EQ(machine(other).restores, 1);
  EXPECT_LT(replica(other).snapshot_bytes_received(), 1'200'000u);
  cluster_.network.faults = {};
  // It is a whole member: also after a power cut, and as the leader's only help.
  cluster_.crash(other, CrashModel::reordered);
  ASSERT_TRUE(cluster_.start(other));
  cluster_.crash(other == 1 ? (first == 2 ? 3 : 2) : (first == 1 ? (other == 2 ? 3 : 2) : 1));
  must_propose(first, "with two");
  expect_agreement();
}

TEST_F(ReplicatedRegister, ASnapshotIsInstalledOrNotAtEveryCutOfPower) {
  setup_.segment_bytes = 2'000;
  cluster_.start_all();
  const NodeId first = await_leader();
  const NodeId other = follower(first);
  must_propose(first, "known");
  cluster_.run(milliseconds(500));
  cluster_.crash(other);
  for (int i = 0; i < 60; ++i) must_propose(first, std::string(100, 'x') + std::to_string(i));
  cluster_.run(milliseconds(500));
  for (const auto& [id, at] : setup_.replicas) {
    at->on_snapshot_written(machine(id).write_snapshot());
    at->compact(machine(id).state.offset - 1);
  }
  bool installed = false;
  for (std::uint64_t n = 0; n < 100 && !installed; ++n) {
    ASSERT_TRUE(cluster_.start(other)) << n;
    cluster_.node(other).disk.power_off_after(n);
    cluster_.run_until([&] { return !cluster_.node(other).fatal.empty(); }, milliseconds(1500));
    EXPECT_FALSE(replica(other).raft().is_withheld()) << n;
    installed = replica(other).store().first_index() > 1;
    cluster_.crash(other, CrashModel::reordered);
  }
  EXPECT_TRUE(installed) << "here, or completed by a start";
  ASSERT_TRUE(cluster_.start(other));
  must_propose(other, "end");
  expect_agreement();
}

TEST_F(ReplicatedRegister, ADamagedLogOfAFollowerIsRefetchedAndItDoesNotVoteMeanwhile) {
  setup_.segment_bytes = 2'000;
  cluster_.start_all();
  const NodeId first = await_leader();
  const NodeId other = follower(first);
  for (int i = 0; i < 60; ++i) must_propose(first, std::string(100, 'x') + std::to_string(i));
  cluster_.run(milliseconds(500));
  cluster_.crash(other);
  const std::string segment = RegisterSetup::directory() + "/00000000000000000000.log";
  cluster_.node(other).disk.set_content(segment, {});
  const NodeId third = 6 - first - other;
  cluster_.crash(third);
  cluster_.crash(first);
  ASSERT_TRUE(cluster_.start(other));
  EXPECT_TRUE(replica(other).raft().is_withheld());
  // With the third, which may have less than the first, it must not elect a leader.
  ASSERT_TRUE(cluster_.start(third));
  cluster_.run(milliseconds(5000));
  EXPECT_EQ(leader(), no_node);
  ASSERT_TRUE(cluster_.start(first));
  await_leader();
  expect_agreement();
  EXPECT_EQ(values(other).size(), 60u);
  EXPECT_FALSE(replica(other).raft().is_withheld());
  int kept_aside = 0;
  for (const std::string& file : cluster_.node(other).disk.files(RegisterSetup::directory())) {
    kept_aside += file.ends_with(".damaged") ? 1 : 0;
  }
  EXPECT_GT(kept_aside, 1);
}

TEST_F(ReplicatedRegister, ADamagedLogStaysDistrustedWhenTheNodeDiesBeforeItHasCaughtUp) {
  setup_.segment_bytes = 2'000;
  cluster_.start_all();
  const NodeId first = await_leader();
  const NodeId other = follower(first);
  for (int i = 0; i < 60; ++i) must_propose(first, std::string(100, 'x') + std::to_string(i));
  for (const NodeId id : cluster_.ids()) cluster_.crash(id);
  const std::string segment = RegisterSetup::directory() + "/00000000000000000000.log";
  cluster_.node(other).disk.set_content(segment, {});
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(cluster_.start(other));
    cluster_.run(milliseconds(i * 1000));
    EXPECT_TRUE(replica(other).raft().is_withheld());
    cluster_.crash(other, CrashModel::reordered);
  }
}

TEST_F(ReplicatedRegister, ALostStateFileOrAnOldOneIsRefused) {
  cluster_.start_all();
  const NodeId first = await_leader();
  must_propose(first, "a");
  const std::string file = RegisterSetup::directory() + "/" + state_file_name;
  cluster_.crash(2);
  cluster_.crash(1);
  cluster_.crash(3);
  ASSERT_TRUE(cluster_.node(2).disk.remove(file));
  const Result<void> refused = cluster_.start(2);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::corrupt);
  EXPECT_THAT(refused.error().message, HasSubstr(file));
}

TEST_F(ReplicatedRegister, AFailedSyncEndsTheNodeAndTheOthersGoOn) {
  cluster_.start_all();
  const NodeId first = await_leader();
  must_propose(first, "a");
  cluster_.node(first).disk.fail_operation(1);
  const auto outcome = propose(first, "b");
  EXPECT_TRUE(cluster_.run_until([&] { return !cluster_.node(first).fatal.empty(); }));
  EXPECT_FALSE(outcome->ok());
  cluster_.crash(first, CrashModel::reordered);
  const NodeId next = await_leader(first);
  must_propose(next, "c");
  ASSERT_TRUE(cluster_.start(first));
  expect_agreement();
}

TEST_F(ReplicatedRegister, AVoterCanBeAddedPromotedAndRemovedAtRunTime) {
  cluster_.start_all();
  const NodeId first = await_leader();
  for (int i = 0; i < 20; ++i) must_propose(first, fmt::format("v{}", i));
  cluster_.add_node(4);
  setup_.bootstrap = {};  // what a node is told that joins
  ASSERT_TRUE(cluster_.start(4));
  const auto change = [&](MemberChange::Kind kind, NodeId node) {
    std::optional<Result<Position>> result;
    replica(leader()).change_membership(std::vector<MemberChange>{{kind, node}}, milliseconds(5000),
                                        [&](Result<Position> done) { result = std::move(done); });
    EXPECT_TRUE(cluster_.run_until([&] { return result.has_value(); }));
    EXPECT_TRUE(result->has_value()) << (result->has_value() ? "" : result->error().message);
  };
  change(MemberChange::Kind::add_learner, 4);
  EXPECT_TRUE(cluster_.run_until([&] { return values(4).size() == 20; }));
  EXPECT_FALSE(replica(4).raft().membership().is_voter(4));
  change(MemberChange::Kind::add_voter, 4);
  change(MemberChange::Kind::remove, follower(first));
  cluster_.crash(follower(first));
  // Who belongs to it survives a start without a word of the configuration.
  for (const NodeId id : cluster_.ids()) {
    if (cluster_.node(id).up()) cluster_.crash(id, CrashModel::reordered);
  }
  for (const NodeId id : cluster_.ids()) {
    if (id == follower(first)) continue;
    ASSERT_TRUE(cluster_.start(id));
  }
  const NodeId next = await_leader();
  EXPECT_EQ(replica(next).raft().membership().voters.size(), 3u);
  EXPECT_TRUE(replica(next).raft().membership().is_voter(4));
  must_propose(4, "end");
}

TEST_F(ReplicatedRegister, AGroupOfOneLeadsAtOnceAndKeepsWhatALogWithoutAClusterHad) {
  setup_.bootstrap = {{1}, {}, {}, {}, false};
  {
    // As a node without a cluster leaves it: entries of epoch 0, none of Raft's own.
    MemoryDisk& disk = cluster_.node(1).disk;
    wal::LogEnvironment environment(disk);
    auto settings = std::make_shared<wal::LogSettings>();
    auto log = wal::PartitionLog::open(environment, RegisterSetup::directory(),
                                       RegisterSetup::identity(), settings, nullptr)
                   .value();
    for (int i = 0; i < 3; ++i) {
      SharedBytes batch = batch_of(fmt::format("old{}", i));
      protocol::set_base_offset(batch.mutable_view(), log->end_offset());
      protocol::set_leader_epoch(batch.mutable_view(), 0);
      log->append(std::move(batch));
    }
    ASSERT_TRUE(log->close());
  }
  ASSERT_TRUE(cluster_.start(1));
  EXPECT_TRUE(cluster_.run_until([&] { return replica(1).leadership().ready; }, milliseconds(50)));
  EXPECT_THAT(values(1), ElementsAre("old0", "old1", "old2"));
  must_propose(1, "new");
  EXPECT_EQ(values(1).back(), "new");
}

TEST_F(ReplicatedRegister, AnIdleGroupWritesNothingAndSaysLittle) {
  cluster_.start_all();
  const NodeId first = await_leader();
  must_propose(first, "a");
  cluster_.run(milliseconds(1000));
  std::map<NodeId, std::uint64_t> operations;
  for (const NodeId id : cluster_.ids()) operations[id] = cluster_.node(id).disk.operations();
  const std::uint64_t before = cluster_.network.sent;
  cluster_.run(milliseconds(10'000));
  // A heartbeat and its answer a tick and follower.
  EXPECT_LE(cluster_.network.sent - before, 4u * 101);
  for (const NodeId id : cluster_.ids()) {
    EXPECT_EQ(cluster_.node(id).disk.operations(), operations[id]);
  }
}

}  // namespace
}  // namespace chronik::raft
