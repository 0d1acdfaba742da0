// Groups whose voters become others, with nodes that come and go meanwhile.
#include "raft/multi/reassignment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "raft/multi/newcomers.h"
#include "raft/multi/test_register.h"

namespace chronik::raft {
namespace {

using testing::batch_of;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::RegisterSetup;
using testing::TestCluster;

class ReassignmentTest : public ::testing::Test {
 protected:
  // Nodes 1 to 3 found the group, and 4 and 5 know of nobody.
  ReassignmentTest() : cluster_(9, 5, setup_) {
    for (NodeId id = 1; id <= 3; ++id) EXPECT_TRUE(cluster_.start(id));
    setup_.bootstrap = {};
    for (NodeId id = 4; id <= 5; ++id) EXPECT_TRUE(cluster_.start(id));
  }

  Replica& replica(NodeId id) { return *setup_.replicas.at(id); }
  std::vector<std::string>& values(NodeId id) { return setup_.machines.at(id)->state.values; }

  NodeId leader() {
    for (const auto& [id, replica] : setup_.replicas) {
      if (replica->leadership().ready) return id;
    }
    return no_node;
  }
  /// Lets time pass, with the leader arranging that `wanted_` vote.
  bool run_until(const std::function<bool()>& done, milliseconds time = milliseconds(20'000)) {
    return cluster_.run_until(
        [&] {
          if (leader() != no_node) arrange(leader());
          return done();
        },
        time);
  }
  void arrange(NodeId led) {
    std::vector<MemberDirectory> present;
    for (const auto& [id, other] : setup_.replicas) {
      if (id != led && std::ranges::find(wanted_, id) != wanted_.end()) {
        present.push_back({id, cluster_.node(id).directory_id()});
      }
    }
    const auto newcomer = newcomers_[led].next(replica(led).raft(), present);
    std::vector<MemberChange> changes;
    if (newcomer) {
      changes = {*newcomer};
    } else {
      changes = reassignments_[led].next(replica(led).raft(), wanted_, present);
      if (changes.empty()) return;
      voted_.push_back(changes.size());
    }
    replica(led).change_membership(changes, milliseconds(1000), [](const Result<Position>&) {});
  }
  bool is_done() {
    const NodeId led = leader();
    return led != no_node && votes_in(replica(led).raft(), wanted_);
  }
  void must_propose(const std::string& value) {
    ASSERT_TRUE(run_until([&] { return leader() != no_node; }));
    std::optional<Result<Position>> result;
    replica(leader()).propose(batch_of(value), {},
                              [&](Result<Position> done) { result = std::move(done); });
    EXPECT_TRUE(run_until([&] { return result.has_value(); }));
    EXPECT_TRUE(result && result->has_value()) << value;
  }

  RegisterSetup setup_;
  std::vector<NodeId> wanted_{1, 2, 3};
  std::map<NodeId, Newcomers> newcomers_;
  std::map<NodeId, Reassignment> reassignments_;
  std::vector<std::size_t> voted_;  // changes in each change of the votes
  TestCluster cluster_;
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

}  // namespace
}  // namespace chronik::raft
