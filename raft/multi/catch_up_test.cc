// A replica that is behind, and a throttle: it gets the log no faster than the rate says, at any
// rate at some time, and clients do not notice.
#include <gtest/gtest.h>

#include "raft/multi/test_membership.h"

namespace chronik::raft {
namespace {

constexpr int entries = 40;
constexpr std::size_t entry_bytes = 10'000;
constexpr std::uint64_t rate = 100'000;  // all of them take four seconds

class CatchUpTest : public ::testing::Test, protected testing::MembershipStory {
 protected:
  CatchUpTest() : MembershipStory(17, 4) {
    cluster_.options.catch_up = &budgets_;
    setup_.segment_bytes = 50'000;
    for (NodeId id = 1; id <= 3; ++id) EXPECT_TRUE(cluster_.start(id).has_value());
    EXPECT_TRUE(start_empty(4));
    led_ = await_leader();
  }
  void drive(NodeId) override {}

  void write(int count) {
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE(proposes(led_, std::string(entry_bytes, 'x') + std::to_string(written_++)));
    }
  }
  void limit(std::uint64_t bytes_per_second) {
    budgets_.set_rates({bytes_per_second, {}});
    CatchUpTerms terms;
    terms.leader = true;
    replica(led_).set_catch_up_terms(terms);
  }
  void take_in(NodeId node) {
    change(led_, {{MemberChange::Kind::add_learner, node, cluster_.node(node).directory_id()}});
  }
  bool has_all(NodeId node) { return values(node).size() == values(led_).size(); }
  /// How long until it has all.
  milliseconds lasts(NodeId node, milliseconds at_most = milliseconds(60'000)) {
    const SteadyTime begin = cluster_.now();
    EXPECT_TRUE(run_until([&] { return has_all(node); }, at_most));
    return std::chrono::duration_cast<milliseconds>(cluster_.now() - begin);
  }

  CatchUpBudgets budgets_;
  NodeId led_ = no_node;
  int written_ = 0;
};

TEST_F(CatchUpTest, ALearnerGetsTheLogAtTheRateWhileClientsWrite) {
  write(entries);
  limit(rate);
  take_in(4);
  const SteadyTime begin = cluster_.now();
  for (int i = 0; i < 20; ++i) {
    const SteadyTime asked = cluster_.now();
    EXPECT_TRUE(proposes(led_, "meanwhile"));
    EXPECT_LT(cluster_.now() - asked, milliseconds(50));
  }
  lasts(4);
  // A second's worth may have been saved up.
  EXPECT_GT(cluster_.now() - begin, milliseconds(2'800));
  EXPECT_LT(cluster_.now() - begin, milliseconds(5'000));
}

TEST_F(CatchUpTest, AtTheSmallestRateAnEntryGoesAtATimeAndAHigherOneCountsAtOnce) {
  write(entries);
  limit(1'000);
  take_in(4);
  cluster_.run(milliseconds(45'000));
  EXPECT_GE(values(4).size(), 4u);
  EXPECT_LE(values(4).size(), 6u);
  budgets_.set_rates({100 * rate, {}});
  EXPECT_LT(lasts(4), milliseconds(1'000));
}

TEST_F(CatchUpTest, WithoutARateNobodyWaits) {
  write(entries);
  limit(rate);
  budgets_.set_rates({});
  take_in(4);
  EXPECT_LT(lasts(4), milliseconds(500));
}

TEST_F(CatchUpTest, FilesAreHeldToTheRateAsWell) {
  write(entries);
  EXPECT_TRUE(replica(led_).on_snapshot_written(setup_.machines.at(led_)->write_snapshot()));
  replica(led_).compact(setup_.machines.at(led_)->state.offset);
  limit(rate);
  take_in(4);
  const milliseconds slow = lasts(4);
  EXPECT_EQ(setup_.machines.at(4)->restores, 1);
  EXPECT_GT(slow, milliseconds(2'800));
  EXPECT_LT(slow, milliseconds(6'000));
}

TEST_F(CatchUpTest, AVoterIsHeldBackOnlyWhenItIsKnownToBeBehind) {
  const NodeId other = led_ % 3 + 1;
  limit(rate);
  for (const bool behind : {false, true}) {
    cluster_.crash(other);
    write(entries);
    CatchUpTerms terms;
    terms.every_follower = true;
    terms.term = replica(led_).raft().term();
    if (behind) terms.behind = {other};
    replica(led_).set_catch_up_terms(terms);
    budgets_.set_rates({std::nullopt, {{other, rate}}});
    ASSERT_TRUE(cluster_.start(other).has_value());
    const milliseconds took = lasts(other);
    if (behind) {
      EXPECT_GT(took, milliseconds(2'800));
    } else {
      EXPECT_LT(took, milliseconds(1'000));
    }
  }
}

}  // namespace
}  // namespace chronik::raft
