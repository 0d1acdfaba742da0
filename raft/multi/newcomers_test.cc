// Nodes that come with an empty disk: what they promised with the disk before counts for nothing,
// and they vote again once they have everything.
#include "raft/multi/newcomers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "raft/multi/test_membership.h"

namespace chronik::raft {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

class NewcomersTest : public ::testing::Test, protected testing::MembershipStory {
 protected:
  NewcomersTest() : MembershipStory(4, 3) {
    for (const NodeId id : cluster_.ids()) {
      setup_.bootstrap.directories.push_back({id, cluster_.node(id).directory_id()});
    }
    cluster_.start_all();
  }

  /// It takes in who comes.
  void drive(NodeId led) override {
    const auto taken = newcomers_[led].next(replica(led).raft(), others(led), wanted_);
    if (!taken) return;
    change(led, {*taken});
    told_.push_back(to_string(membership(led)));
  }
  void must_propose(NodeId id, const std::string& value) {
    EXPECT_TRUE(proposes(id, value)) << value;
  }
  void lose_disk(NodeId id) {
    cluster_.crash(id);
    cluster_.wipe(id);
  }

  std::optional<std::vector<NodeId>> wanted_;
  std::vector<std::string> told_;  // memberships that were proposed
};

TEST_F(NewcomersTest, AVoterThatLostItsDiskVotesAgainWhenItHoldsTheLog) {
  const NodeId led = await_leader();
  const NodeId lost = led % 3 + 1;
  const NodeId third = lost % 3 + 1;
  must_propose(led, "a");
  lose_disk(lost);
  must_propose(led, "b");
  EXPECT_THAT(told_, IsEmpty());

  ASSERT_TRUE(start_empty(lost));
  EXPECT_TRUE(
      run_until([&] { return membership(led).voters.size() == 3 && values(lost).size() == 2; }));
  ASSERT_EQ(told_.size(), 2u);
  EXPECT_NE(told_[0].find("returning " + std::to_string(lost)), std::string::npos) << told_[0];
  EXPECT_EQ(told_[1], "voters 1 2 3");
  EXPECT_THAT(values(lost), ElementsAre("a", "b"));

  cluster_.crash(third);
  must_propose(led, "c");
  EXPECT_THAT(values(led), ElementsAre("a", "b", "c"));
}

// A voter that is to leave still decides with the others. It was not counted, so a replica that had
// lost its disk while its partition moved stayed out for ever, and so did who was to leave.
TEST_F(NewcomersTest, AVoterThatIsNotWantedAnyMoreCountsUntilItHasGone) {
  const NodeId led = await_leader();
  const NodeId lost = led % 3 + 1;
  must_propose(led, "a");
  lose_disk(lost);
  wanted_ = {led, lost};
  ASSERT_TRUE(start_empty(lost));
  EXPECT_TRUE(run_until([&] { return membership(led).voters.size() == 3 && told_.size() == 2; }));
  EXPECT_THAT(values(lost), ElementsAre("a"));
}

// Node 3 was away when node 1 and 2 took "kept"; then node 1 dies, and node 2 comes back empty.
// Two of three are there, and would elect node 3, if what node 2 says now were node 2's.
TEST_F(NewcomersTest, TheVoteOfALostDiskElectsNobody) {
  const NodeId led = await_leader();
  const NodeId lost = led % 3 + 1;
  const NodeId behind = lost % 3 + 1;
  cluster_.crash(behind);
  must_propose(led, "kept");
  cluster_.crash(led);
  lose_disk(lost);
  ASSERT_TRUE(cluster_.start(behind));
  ASSERT_TRUE(start_empty(lost));
  EXPECT_FALSE(run_until([&] { return leader() != no_node; }, milliseconds(10'000)));

  ASSERT_TRUE(cluster_.start(led));
  EXPECT_EQ(await_leader(), led) << "only this one has everything";
  EXPECT_TRUE(run_until([&] { return membership(led).voters.size() == 3; }));
  EXPECT_TRUE(
      run_until([&] { return values(lost) == values(led) && values(behind) == values(led); }));
  EXPECT_THAT(values(lost), ElementsAre("kept"));
}

TEST_F(NewcomersTest, AMajorityOfEmptyDisksDecidesNothing) {
  const NodeId led = await_leader();
  must_propose(led, "kept");
  for (NodeId id = 1; id <= 3; ++id) {
    if (id != led) lose_disk(id);
  }
  for (NodeId id = 1; id <= 3; ++id) {
    if (id != led) {
      ASSERT_TRUE(start_empty(id));
    }
  }
  cluster_.run(milliseconds(5'000));
  EXPECT_FALSE(run_until([&] { return leader() != no_node; }, milliseconds(10'000)));
  EXPECT_EQ(to_string(membership(led)), "voters 1 2 3");
  EXPECT_THAT(values(led), ElementsAre("kept"));
}

TEST_F(NewcomersTest, ANodeThatIsNewLearnsAndGetsNoVoteByItself) {
  const NodeId led = await_leader();
  must_propose(led, "a");
  cluster_.add_node(4);
  ASSERT_TRUE(start_empty(4));
  EXPECT_TRUE(run_until([&] { return values(4).size() == 1; }));
  cluster_.run(milliseconds(2'000));
  EXPECT_EQ(to_string(membership(led)), "voters 1 2 3, learners 4");
  EXPECT_THAT(told_, Not(Contains(::testing::HasSubstr("voters 1 2 3 4"))));
}

// A learner that had all entries, and had not been told yet what was committed, got a vote. Then
// its leader died, and it voted for nobody until a leader would speak to it.
TEST(CaughtUp, WhoWouldNotVoteHasNotCaughtUp) {
  Progress learner;
  learner.state = ProgressState::replicate;
  learner.match = 7;
  EXPECT_FALSE(has_caught_up(learner, 7)) << "it has not said yet that it would";
  learner.withheld = false;
  EXPECT_TRUE(has_caught_up(learner, 7));
  EXPECT_FALSE(has_caught_up(learner, 8));
}

}  // namespace
}  // namespace chronik::raft
