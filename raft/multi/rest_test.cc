// Groups at rest: they say nothing and take no ticks, and whatever happens that anybody would miss
// wakes them.
#include <gtest/gtest.h>

#include "raft/multi/test_register.h"

namespace chronik::raft {
namespace {

using testing::batch_of;
using testing::RegisterSetup;
using testing::TestCluster;

constexpr milliseconds long_time{30'000};
// Of one that may fall into it: the leader asks both followers, which answer.
constexpr std::uint64_t patrol_frames = 4;

class RestingGroup : public ::testing::Test {
 protected:
  RestingGroup() : cluster_(3, 3, setup_) {
    cluster_.options.rest_after_ticks = 5;
    cluster_.watch_silence(milliseconds(1'000));
    cluster_.start_all();
    leader_ = await_leader();
    EXPECT_TRUE(propose(leader_, "first"));
    rest();
  }

  Replica& replica(NodeId id) { return *setup_.replicas.at(id); }
  const std::vector<std::string>& values(NodeId id) { return setup_.machines.at(id)->state.values; }
  NodeId follower() const { return leader_ % 3 + 1; }
  NodeId other_follower() const { return follower() % 3 + 1; }

  NodeId leader() {
    for (const auto& [id, at] : setup_.replicas) {
      if (at->leadership().ready) return id;
    }
    return no_node;
  }
  NodeId await_leader(milliseconds time = milliseconds(20'000), NodeId other_than = no_node) {
    const auto is_there = [&] { return leader() != no_node && leader() != other_than; };
    EXPECT_TRUE(cluster_.run_until(is_there, time));
    return leader();
  }
  bool propose(NodeId at, const std::string& value) {
    std::optional<Result<Position>> outcome;
    replica(at).propose(batch_of(value), {}, [&](Result<Position> is) { outcome = std::move(is); });
    return cluster_.run_until([&] { return outcome.has_value(); }) && outcome->has_value();
  }
  bool all_rest() {
    return std::ranges::all_of(setup_.replicas, [&](const auto& at) {
      return at.second->rests() && cluster_.node(at.first).manager->awake().empty();
    });
  }
  void rest() {
    EXPECT_TRUE(cluster_.run_until([&] { return all_rest(); }, milliseconds(5'000)));
  }
  std::uint64_t sent_in(milliseconds time) {
    const std::uint64_t before = cluster_.network.sent;
    cluster_.run(time);
    return cluster_.network.sent - before;
  }

  RegisterSetup setup_;
  TestCluster cluster_;
  NodeId leader_ = no_node;
};

TEST_F(RestingGroup, SaysNothingAndKnowsAll) {
  EXPECT_LE(sent_in(long_time), patrol_frames);
  EXPECT_TRUE(all_rest());
  EXPECT_EQ(leader(), leader_);
  for (const auto& [id, at] : setup_.replicas) {
    EXPECT_EQ(values(id), std::vector<std::string>{"first"}) << id;
    EXPECT_EQ(at->raft().log().commit(), at->raft().log().last_index()) << id;
    EXPECT_EQ(at->leadership().leader, leader_) << id;
  }
}

TEST_F(RestingGroup, TakesProposalsAtEachNodeAndRestsAgain) {
  for (const NodeId id : cluster_.ids()) {
    EXPECT_TRUE(propose(id, "of " + std::to_string(id)));
    rest();
  }
  EXPECT_EQ(values(follower()).size(), 4U);
  EXPECT_EQ(leader(), leader_);
  EXPECT_LE(sent_in(long_time), patrol_frames);
}

TEST_F(RestingGroup, AnswersReadsAtEachNode) {
  for (const NodeId id : cluster_.ids()) {
    std::optional<Result<Index>> read;
    replica(id).read(milliseconds(2'000), [&](Result<Index> is) { read = std::move(is); });
    EXPECT_TRUE(cluster_.run_until([&] { return read.has_value(); }, milliseconds(500)));
    EXPECT_TRUE(read && read->has_value());
    rest();
  }
}

TEST_F(RestingGroup, HasANewLeaderSoonWhenTheProcessOfTheOldOneEnds) {
  cluster_.crash(leader_);
  EXPECT_NE(await_leader(milliseconds(1'000)), no_node);
  EXPECT_TRUE(propose(leader(), "second"));
}

TEST_F(RestingGroup, HasANewLeaderWhenTheOldOneIsCutOffWhichKnowsIt) {
  cluster_.network.isolate(leader_);
  const NodeId new_leader = [&] {
    const auto replaced = [&] {
      return replica(follower()).leadership().ready || replica(other_follower()).leadership().ready;
    };
    EXPECT_TRUE(cluster_.run_until(replaced, milliseconds(2'500)));
    return replica(follower()).leadership().ready ? follower() : other_follower();
  }();
  // It has heard nobody, and leads no more: clients are sent away, reads find nothing.
  EXPECT_TRUE(cluster_.run_until([&] { return !replica(leader_).leadership().ready; },
                                 milliseconds(1'500)));
  cluster_.network.heal();
  EXPECT_TRUE(propose(new_leader, "second"));
  EXPECT_TRUE(cluster_.run_until([&] { return values(leader_).size() == 2; }));
  leader_ = new_leader;
  rest();
}

TEST_F(RestingGroup, IsNotReadAtALeaderThatIsCutOff) {
  cluster_.network.isolate(leader_);
  std::optional<Result<Index>> read;
  replica(leader_).read(milliseconds(1'500), [&](Result<Index> is) { read = std::move(is); });
  EXPECT_TRUE(cluster_.run_until([&] { return read.has_value(); }));
  EXPECT_FALSE(read->has_value());
}

TEST_F(RestingGroup, HasALeaderWhenTheOldOneBeginsAnewUnheard) {
  cluster_.crash(leader_, CrashModel::kill, false);
  CHECK(cluster_.start(leader_));
  EXPECT_NE(await_leader(milliseconds(3'000)), no_node);
  EXPECT_TRUE(propose(follower(), "second"));
  leader_ = leader();
  rest();
}

TEST_F(RestingGroup, RestsWithoutAFollowerThatIsGoneAndWakesWhenItComesBack) {
  const NodeId gone = follower();
  cluster_.crash(gone);
  cluster_.run(milliseconds(1));
  EXPECT_FALSE(all_rest());
  rest();
  EXPECT_LE(sent_in(long_time), patrol_frames);
  EXPECT_TRUE(propose(leader_, "second"));
  rest();
  EXPECT_EQ(leader(), leader_);

  CHECK(cluster_.start(gone));
  EXPECT_TRUE(cluster_.run_until([&] { return values(gone).size() == 2; }, milliseconds(2'000)));
  rest();
  EXPECT_EQ(leader(), leader_);
}

TEST_F(RestingGroup, NeverRestsWithoutAMajority) {
  cluster_.crash(follower());
  cluster_.crash(other_follower());
  EXPECT_TRUE(cluster_.run_until([&] { return leader() == no_node; }, milliseconds(2'500)));
  cluster_.run(long_time);
  EXPECT_FALSE(replica(leader_).rests());
  cluster_.start_all();
  EXPECT_NE(await_leader(milliseconds(3'000)), no_node);
}

TEST_F(RestingGroup, HandsOverAndChangesItsMembers) {
  EXPECT_TRUE(replica(leader_).transfer_leadership(follower()));
  EXPECT_EQ(await_leader(milliseconds(500), leader_), follower());
  leader_ = leader();
  rest();
  const MemberChange change{MemberChange::Kind::remove, follower()};
  std::optional<Result<Position>> outcome;
  replica(leader_).change_membership(std::span(&change, 1), milliseconds(2'000),
                                     [&](Result<Position> is) { outcome = std::move(is); });
  EXPECT_TRUE(cluster_.run_until([&] { return outcome.has_value(); }, milliseconds(1'000)));
  EXPECT_TRUE(outcome && outcome->has_value());
}

/// A leader whose group has gone while its node lives, which nobody has thought of.
TEST_F(RestingGroup, FindsOutWithThePatrolThatItsLeaderHasGone) {
  const GroupId group = replica(leader_).group();
  setup_.replicas.erase(leader_);
  auto log = cluster_.node(leader_).manager->remove(group);
  cluster_.node(leader_).group_commit->remove(*log);
  const milliseconds patrol = cluster_.options.tick * cluster_.options.patrol_ticks;
  EXPECT_NE(await_leader(3 * patrol + milliseconds(5'000)), no_node);
  EXPECT_TRUE(propose(leader(), "second"));
}

TEST_F(RestingGroup, IsPatrolledNowAndThenAndRestsOn) {
  const milliseconds patrol = cluster_.options.tick * cluster_.options.patrol_ticks;
  cluster_.run(2 * patrol);
  EXPECT_TRUE(all_rest());
  EXPECT_EQ(leader(), leader_);
  EXPECT_LE(sent_in(10 * patrol), 11 * patrol_frames);
  EXPECT_TRUE(all_rest());
}

}  // namespace
}  // namespace chronik::raft
