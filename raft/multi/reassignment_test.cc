// Groups whose voters become others, with nodes that come and go meanwhile.
#include "raft/multi/reassignment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "raft/multi/test_membership.h"

namespace chronik::raft {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ReassignmentTest : public ::testing::Test, protected testing::MembershipStory {
 protected:
  // Nodes 1 to 3 found the group, and 4 and 5 know of nobody.
  ReassignmentTest() : MembershipStory(9, 5) {
    for (NodeId id = 1; id <= 3; ++id) EXPECT_TRUE(cluster_.start(id));
    setup_.bootstrap = {};
    for (NodeId id = 4; id <= 5; ++id) EXPECT_TRUE(cluster_.start(id));
  }

  /// It arranges that `wanted_` vote.
  void drive(NodeId led) override {
    std::vector<MemberDirectory> present = others(led);
    for (const NodeId id : seem_connected_) {
      if (id != led) present.push_back({id, cluster_.node(id).directory_id()});
    }
    std::erase_if(present, [&](const MemberDirectory& node) {
      return std::ranges::find(wanted_, node.node) == wanted_.end();
    });
    if (const auto newcomer = newcomers_[led].next(replica(led).raft(), present)) {
      return change(led, {*newcomer});
    }
    if (!moves_) return;
    const std::vector<MemberChange> changes =
        reassignments_[led].next(replica(led).raft(), wanted_, present);
    if (changes.empty()) return;
    voted_.push_back(changes.size());
    change(led, changes);
  }
  bool is_done() {
    const NodeId led = leader();
    return led != no_node && votes_in(replica(led).raft(), wanted_);
  }
  void must_propose(const std::string& value) {
    EXPECT_TRUE(proposes(await_leader(), value)) << value;
  }

  std::vector<NodeId> wanted_{1, 2, 3};
  std::vector<NodeId> seem_connected_;  // though they are down
  bool moves_ = true;                   // else nobody gets or loses a vote
  std::map<NodeId, Reassignment> reassignments_;
  std::vector<std::size_t> voted_;  // changes in each change of the votes
};

TEST_F(ReassignmentTest, AllVotersBecomeOthersInOneChange) {
  must_propose("a");
  EXPECT_THAT(voted_, IsEmpty());
  wanted_ = {3, 4, 5};
  EXPECT_TRUE(run_until([&] { return is_done(); }));
  EXPECT_THAT(voted_, ElementsAre(4u)) << "two get votes and two lose theirs";
  must_propose("b");
  for (const NodeId id : wanted_) {
    EXPECT_TRUE(run_until([&] { return values(id).size() == 2; }));
    EXPECT_THAT(values(id), ElementsAre("a", "b"));
  }
  // What they have is enough.
  cluster_.crash(1);
  cluster_.crash(2);
  cluster_.crash(3);
  must_propose("c");
}

TEST_F(ReassignmentTest, NobodyLosesItsVoteBeforeThoseToComeHoldTheLog) {
  must_propose("a");
  cluster_.crash(5);
  wanted_ = {1, 4, 5};
  EXPECT_FALSE(run_until([&] { return is_done(); }, milliseconds(5'000)));
  EXPECT_THAT(voted_, IsEmpty());
  EXPECT_THAT(replica(leader()).raft().membership().voters, ElementsAre(1, 2, 3));
  ASSERT_TRUE(cluster_.start(5));
  EXPECT_TRUE(run_until([&] { return is_done(); }));
}

TEST_F(ReassignmentTest, OneThatWasTakenInGoesWhenItIsNotWantedAnyMore) {
  must_propose("a");
  cluster_.crash(5);
  wanted_ = {1, 4, 5};
  EXPECT_TRUE(run_until([&] {
    const NodeId led = leader();
    return led != no_node && replica(led).raft().membership().contains(4);
  }));
  wanted_ = {1, 2, 3};
  EXPECT_TRUE(run_until([&] { return is_done(); }));
  EXPECT_FALSE(replica(leader()).raft().membership().contains(4));
}

TEST_F(ReassignmentTest, AnotherLeaderGoesOn) {
  must_propose("a");
  wanted_ = {2, 3, 4};
  EXPECT_TRUE(run_until([&] {
    const NodeId led = leader();
    return led != no_node && replica(led).raft().membership().contains(4);
  }));
  const NodeId former = leader();
  cluster_.crash(former);
  EXPECT_TRUE(run_until([&] { return leader() != no_node; }));
  ASSERT_TRUE(cluster_.start(former));
  EXPECT_TRUE(run_until([&] { return is_done(); }));
  must_propose("b");
}

// With their votes in force nobody could lead before they are known to be gone and are back.
TEST_F(ReassignmentTest, NobodyGetsAVoteWhoHasJustDiedAndStillLooksConnected) {
  must_propose("a");
  moves_ = false;
  wanted_ = {3, 4, 5};
  EXPECT_TRUE(run_until([&] {
    const NodeId led = leader();
    if (led == no_node) return false;
    const auto& followers = replica(led).raft().progress();
    return followers.size() == 4 && std::ranges::all_of(followers, [&](const Progress& follower) {
             return has_caught_up(follower, replica(led).raft().log().commit());
           });
  }));
  cluster_.run(cluster_.options.tick * 2);
  seem_connected_ = {4, 5};
  cluster_.crash(4, CrashModel::kill, /*connections_close=*/false);
  cluster_.crash(5, CrashModel::kill, /*connections_close=*/false);
  cluster_.run(cluster_.options.tick * 5);
  moves_ = true;
  EXPECT_FALSE(run_until([&] { return is_done(); }, milliseconds(5'000)));
  EXPECT_THAT(voted_, IsEmpty());
  cluster_.crash(leader());
  must_propose("b");
  seem_connected_ = {};
  EXPECT_TRUE(cluster_.start(4).has_value());
  EXPECT_TRUE(cluster_.start(5).has_value());
  EXPECT_TRUE(run_until([&] { return is_done(); }));
  must_propose("c");
}

}  // namespace
}  // namespace chronik::raft
