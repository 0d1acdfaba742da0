// A group that lost the majority of its replicas for good, and goes on with what one of them has.
#include "raft/multi/recovery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "raft/multi/test_membership.h"
#include "raft/multi/test_start.h"

namespace chronik::raft::testing {
namespace {

using ::testing::ElementsAre;

constexpr Term recovery_term = 1'000;

Recovery survives() { return {1, recovery_term, true, {}}; }
Recovery begins_anew() { return {1, recovery_term, false, {}}; }

class RecoveryStory : public ::testing::Test, protected MembershipStory {
 protected:
  RecoveryStory() : MembershipStory(11, 3) {}

  void drive(NodeId led) override {
    const auto newcomer = newcomers_.next(replica(led).raft(), others(led));
    if (newcomer) change(led, {*newcomer});
  }
  void must_propose(NodeId to, const std::string& value) {
    bool done = false;
    replica(to).propose(batch_of(value), {}, [&](const Result<Position>& made) {
      EXPECT_TRUE(made) << made.error().message;
      done = true;
    });
    ASSERT_TRUE(run_until([&] { return done; })) << value;
  }
  bool all_have(const std::vector<std::string>& expected) {
    return run_until([&] {
      return std::ranges::all_of(setup_.replicas,
                                 [&](const auto& at) { return values(at.first) == expected; });
    });
  }
  void start(NodeId node, const Recovery& recovery) {
    setup_.recoveries[node] = recovery;
    ASSERT_TRUE(cluster_.start(node));
  }
  void crash(std::initializer_list<NodeId> nodes) {
    for (const NodeId node : nodes) cluster_.crash(node);
  }

  /// "a" on all three; "b" was acknowledged by `first` and `second` only.
  void lose_a_majority() {
    cluster_.start_all();
    NodeId leader = await_leader();
    must_propose(leader, "a");
    ASSERT_TRUE(all_have({"a"}));
    survivor_ = leader % 3 + 1;
    cluster_.crash(survivor_);
    leader = await_leader();
    must_propose(leader, "b");
    first_ = leader;
    second_ = 6 - first_ - survivor_;
    crash({first_, second_});
  }

  Newcomers newcomers_;
  NodeId survivor_ = no_node;
  NodeId first_ = no_node;
  NodeId second_ = no_node;
};

TEST_F(RecoveryStory, TheSurvivorLeadsAloneAndTakesTheOthersIn) {
  lose_a_majority();
  cluster_.wipe(first_);
  start(survivor_, survives());
  ASSERT_EQ(await_leader(), survivor_);
  EXPECT_GT(replica(survivor_).raft().term(), recovery_term);
  EXPECT_THAT(values(survivor_), ElementsAre("a"));
  must_propose(survivor_, "c");

  // One with its old disk, one with an empty one.
  start(second_, begins_anew());
  EXPECT_TRUE(replica(second_).raft().is_withheld());
  ASSERT_TRUE(all_have({"a", "c"}));
  start(first_, begins_anew());
  ASSERT_TRUE(all_have({"a", "c"}));
  ASSERT_TRUE(run_until([&] { return membership(survivor_).voters.size() == 3; }));
  must_propose(survivor_, "d");
  ASSERT_TRUE(all_have({"a", "c", "d"}));
  EXPECT_TRUE(membership(survivor_).learners.empty());

  // It is a group like any other: any one may die.
  cluster_.crash(survivor_);
  ASSERT_TRUE(run_until([&] { return leader() != no_node; }));
  must_propose(leader(), "e");
  start(survivor_, survives());
  EXPECT_TRUE(all_have({"a", "c", "d", "e"})) << "the restart repeated the recovery";
}

// Cut off, they still could elect each other, and did not hear of it.
TEST_F(RecoveryStory, WhoHasNotHeardOfItIsOfAnotherGroupUntilItHas) {
  lose_a_majority();
  start(survivor_, survives());
  ASSERT_EQ(await_leader(), survivor_);
  must_propose(survivor_, "c");
  start(first_, {});
  start(second_, {});
  const auto others_lead = [&] {
    return replica(first_).leadership().ready || replica(second_).leadership().ready;
  };
  ASSERT_TRUE(cluster_.run_until(others_lead));
  cluster_.run(milliseconds(3'000));
  EXPECT_THAT(values(survivor_), ElementsAre("a", "c"));
  EXPECT_TRUE(replica(survivor_).leadership().ready);
  EXPECT_THAT(values(first_), ElementsAre("a", "b"));

  crash({first_, second_});
  start(first_, begins_anew());
  start(second_, begins_anew());
  EXPECT_TRUE(all_have({"a", "c"}));
  EXPECT_TRUE(run_until([&] { return membership(survivor_).voters.size() == 3; }));
}

// Those that begin anew read of the old members in the log, who were a majority without the
// survivor.
TEST_F(RecoveryStory, ThoseThatBeginAnewElectNobodyByTheMembershipOfBefore) {
  lose_a_majority();
  start(survivor_, survives());
  ASSERT_EQ(await_leader(), survivor_);
  start(first_, begins_anew());
  start(second_, begins_anew());
  crash({survivor_});
  EXPECT_FALSE(cluster_.run_until([&] { return leader() != no_node; }, milliseconds(10'000)));
  start(survivor_, survives());
  EXPECT_TRUE(all_have({"a"}));
}

TEST_F(RecoveryStory, ASecondRecoveryLeavesTheFirstBehind) {
  lose_a_majority();
  start(survivor_, survives());
  ASSERT_EQ(await_leader(), survivor_);
  start(first_, begins_anew());
  ASSERT_TRUE(all_have({"a"}));
  ASSERT_TRUE(run_until([&] { return membership(survivor_).voters.size() == 2; }));
  crash({survivor_, first_});
  start(first_, {2, 3 * recovery_term, true, {}});
  ASSERT_EQ(await_leader(), first_);
  EXPECT_GT(replica(first_).raft().term(), 3 * recovery_term);
  start(survivor_, {2, 3 * recovery_term, false, {}});
  // The image of this node is behind what it has on disk itself.
  crash({first_});
  start(first_, survives());
  ASSERT_TRUE(run_until([&] { return leader() == first_; }));
  must_propose(first_, "c");
  EXPECT_TRUE(all_have({"a", "c"}));
}

// -- The files, whenever the power goes.

struct Start : TestStart {
  void fill() {
    const Result<ReplicaFiles> files = open();
    CHECK(files);
    wal::PartitionLog& log = files->store->log();
    for (int i = 0; i < 20; ++i) {
      log.append(wal::testing::make_batch({.base_offset = log.end_offset(), .epoch = 1}));
    }
    CHECK(log.flush());
    ReplicaState state = files->state;
    state.hard = {7, 2, 0};
    CHECK(files->state_file->save(state));
  }
};

TEST(RecoveryFiles, ASurvivorHasItsLogAndOneMembershipBehindItWheneverThePowerGoes) {
  for (std::uint64_t n = 0;; ++n) {
    ASSERT_LT(n, 1'000u);
    Start t;
    t.fill();
    t.disk.power_off_after(n);
    const bool whole = t.open(survives()).has_value();
    t.cut_power(n, CrashModel::reordered);
    const Result<ReplicaFiles> files = t.open(survives());
    ASSERT_TRUE(files) << n << ": " << files.error().message;
    EXPECT_EQ(files->store->last_index(), 21) << n;
    EXPECT_EQ(files->store->term(20), 1) << n;
    EXPECT_EQ(files->store->term(21), recovery_term) << n;
    ASSERT_EQ(files->memberships.size(), 2u) << n;
    EXPECT_EQ(files->memberships.back().index, 21) << n;
    EXPECT_EQ(to_string(files->memberships.back().membership),
              "voters 1, learners 2 3, returning 2 3")
        << n;
    EXPECT_EQ(files->state.recovery, 1) << n;
    EXPECT_EQ(files->state.commit, 21) << n;
    EXPECT_EQ(files->state.hard, (HardState{recovery_term, no_node, 0})) << n;
    if (whole) break;
  }
}

TEST(RecoveryFiles, OneThatBeginsAnewIsEmptyAndWithheldWheneverThePowerGoes) {
  for (std::uint64_t n = 0;; ++n) {
    ASSERT_LT(n, 1'000u);
    Start t;
    t.fill();
    t.disk.power_off_after(n);
    const bool whole = t.open(begins_anew()).has_value();
    t.cut_power(n, CrashModel::reordered);
    const Result<ReplicaFiles> files = t.open(begins_anew());
    ASSERT_TRUE(files) << n << ": " << files.error().message;
    EXPECT_EQ(files->store->last_index(), 0) << n;
    EXPECT_EQ(files->state.recovery, 1) << n;
    EXPECT_GE(files->state.hard.term, recovery_term) << n;
    EXPECT_GE(files->state.hard.withheld_until, recovery_term) << n;
    EXPECT_TRUE(files->memberships.back().membership.voters.empty()) << n;
    if (whole) break;
  }
}

// Only what it has is left to go on with: an empty one must not take its place and lead.
TEST(RecoveryFiles, ASurvivorWhoseLogIsDamagedDoesNotSurvive) {
  Start t;
  t.fill();
  ReplicaFiles files = t.open().value();
  ReplicaState state = files.state;
  state.log_damaged = true;
  ASSERT_TRUE(files.state_file->save(state));
  files = {};
  const ReplicaFiles opened = t.open(survives()).value();
  EXPECT_EQ(opened.state.recovery, 1);
  EXPECT_EQ(opened.store->last_index(), 0);
  EXPECT_GE(opened.state.hard.withheld_until, recovery_term);
}

TEST(RecoveryFiles, AReplicaThatWasNeverThereWaitsUntilItIsTold) {
  Start t;
  const ReplicaFiles files = t.open(begins_anew()).value();
  EXPECT_EQ(files.state.recovery, 1);
  EXPECT_EQ(files.state.hard.withheld_until, until_told);
  EXPECT_THAT(files.memberships.back().membership.voters, ElementsAre());
}

}  // namespace
}  // namespace chronik::raft::testing
