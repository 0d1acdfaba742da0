// Who waits for the budgets of a node, and who goes first.
#include "raft/multi/catch_up_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

namespace chronik::raft {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class CatchUpQueueTest : public ::testing::Test {
 protected:
  using Kind = CatchUpAsk::Kind;

  static GroupId group(int partition) { return {Uuid::from_random(1, 2), partition}; }
  void ask(const std::string& who, int partition, NodeId to, CatchUpLimits limits,
           std::uint64_t wanted = 1'000) {
    limits_[who] = limits;
    queue_.ask({group(partition), to, Kind::entries, wanted, [this, who] { return limits_[who]; },
                [this, who](const CatchUpGrant& grant) {
                  went_.push_back(who);
                  bytes_ += grant.bytes;
                }});
  }
  std::vector<std::string> tick() {
    now_ += milliseconds(100);
    queue_.tick(now_);
    return std::exchange(went_, {});
  }

  static constexpr CatchUpLimits by_leader{true, false};
  static constexpr CatchUpLimits by_follower{false, true};
  static constexpr CatchUpLimits by_both{true, true};

  CatchUpBudgets budgets_;
  CatchUpQueue queue_{&budgets_};
  std::map<std::string, CatchUpLimits> limits_;
  std::vector<std::string> went_;
  std::uint64_t bytes_ = 0;
  SteadyTime now_{};
};

TEST_F(CatchUpQueueTest, WhatIsNotLimitedGoesAtOnce) {
  budgets_.set_rates({1, {{2, 1}}});
  ask("free", 0, 2, {}, 1'000'000);
  ask("to another", 1, 3, by_follower, 1'000'000);
  EXPECT_THAT(went_, ElementsAre("free", "to another"));
  EXPECT_EQ(bytes_, 2'000'000u);
  CatchUpQueue without_budgets(nullptr);
  EXPECT_FALSE(without_budgets.is_limited(2, by_both));
}

TEST_F(CatchUpQueueTest, GroupsTakeTurns) {
  budgets_.set_rates({10'000, {}});
  tick();
  std::map<std::string, int> turns;
  ask("a", 0, 2, by_leader);
  ask("b", 1, 2, by_leader);
  ask("c", 2, 3, by_leader);
  for (int i = 0; i < 300; ++i) {
    for (const std::string& who : tick()) {
      ++turns[who];
      ask(who, who[0] - 'a', who == "c" ? 3 : 2, by_leader);
    }
  }
  // Thirty seconds and 10,000 bytes a second.
  EXPECT_NEAR(turns["a"], 100, 6);
  EXPECT_NEAR(turns["b"], 100, 6);
  EXPECT_NEAR(turns["c"], 100, 6);
}

TEST_F(CatchUpQueueTest, ASlowFollowerDoesNotHoldUpAnother) {
  budgets_.set_rates({std::nullopt, {{2, 1}, {3, 1'000'000}}});
  ask("slow", 0, 2, by_follower);
  ask("slow again", 1, 2, by_follower);
  EXPECT_THAT(went_, ElementsAre("slow"));
  ask("fast", 2, 3, by_follower);
  EXPECT_THAT(went_, ElementsAre("slow", "fast"));
}

TEST_F(CatchUpQueueTest, BothRatesCount) {
  budgets_.set_rates({1'000'000, {{2, 1'000}}});
  tick();
  ask("a", 0, 2, by_both);
  EXPECT_THAT(std::exchange(went_, {}), ElementsAre("a"));
  int pieces = 1;
  ask("a", 0, 2, by_both);
  for (int i = 0; i < 100; ++i) {
    for (const std::string& who : tick()) {
      ++pieces;
      ask(who, 0, 2, by_both);
    }
  }
  EXPECT_GE(pieces, 9);
  EXPECT_LE(pieces, 11) << "ten seconds at 1,000 bytes";
}

TEST_F(CatchUpQueueTest, WhoWaitsGoesWhenItsLimitIsGone) {
  budgets_.set_rates({1, {}});
  ask("first", 0, 2, by_leader);
  ask("second", 1, 2, by_leader);
  EXPECT_THAT(std::exchange(went_, {}), ElementsAre("first"));
  EXPECT_THAT(tick(), IsEmpty());
  limits_["second"] = {};
  EXPECT_THAT(tick(), ElementsAre("second"));
  ask("third", 2, 2, by_leader);
  EXPECT_THAT(tick(), IsEmpty());
  budgets_.set_rates({});
  EXPECT_THAT(tick(), ElementsAre("third"));
}

TEST_F(CatchUpQueueTest, OfOneGroupAndNodeTheLastOneWaits) {
  budgets_.set_rates({1, {}});
  ask("first", 0, 2, by_leader);
  ask("old", 0, 2, by_leader);
  ask("new", 0, 2, by_leader);
  ask("gone", 1, 2, by_leader);
  EXPECT_EQ(queue_.waiting(), 2u);
  queue_.forget(group(1));
  budgets_.set_rates({});
  EXPECT_THAT(tick(), ElementsAre("first", "new"));
}

TEST_F(CatchUpQueueTest, WhatWentCounts) {
  budgets_.set_rates({10'000, {}});
  tick();
  const CatchUpGrant grant{by_leader, budgets_.take(2, by_leader, 4'000)};
  EXPECT_EQ(grant.bytes, 4'000u);
  queue_.sent(2, grant, 50'000);  // an entry is sent whole
  for (int i = 0; i < 49; ++i) tick();
  EXPECT_EQ(budgets_.take(2, by_leader, 1), 0u);
  tick();
  EXPECT_EQ(budgets_.take(2, by_leader, 1), 1u);
}

}  // namespace
}  // namespace chronik::raft
