#include "broker/partition/fetch_session.h"

#include <gtest/gtest.h>

#include "broker/partition/fetch_wait.h"

namespace chronik::broker {
namespace {

using protocol::ErrorCode;

FetchPartition named(const std::string& topic, PartitionId partition, Offset offset = 0) {
  FetchPartition result;
  result.topic = topic;
  result.partition = partition;
  result.fetch_offset = offset;
  return result;
}

struct FetchSessionTest : testing::Test {
  Random random{1};
  SteadyTime now{};
  FetchSessions sessions{2, random};

  FetchPlan open(std::vector<FetchPartition> partitions) {
    return sessions.plan(0, 0, false, std::move(partitions), {}, now);
  }
  FetchPlan next(std::int32_t id, std::int32_t epoch, std::vector<FetchPartition> changed = {},
                 const std::vector<ForgottenPartition>& forgotten = {}) {
    return sessions.plan(id, epoch, false, std::move(changed), forgotten, now);
  }
};

TEST_F(FetchSessionTest, IncrementalRequestsNameOnlyChanges) {
  const FetchPlan first = open({named("a", 0), named("a", 1), named("b", 0)});
  ASSERT_NE(first.session_id, 0);
  EXPECT_FALSE(first.incremental);

  const FetchPlan second = next(first.session_id, 1, {named("a", 1, 50)});
  EXPECT_TRUE(second.incremental);
  ASSERT_EQ(second.partitions.size(), 3u);
  EXPECT_EQ(second.partitions[1]->fetch_offset, 50);
  // The long poll of the first request still sees what it asked for.
  EXPECT_EQ(first.partitions[1]->fetch_offset, 0);

  const FetchPlan third = next(first.session_id, 2, {named("c", 4)}, {{"b", Uuid{}, 0}});
  ASSERT_EQ(third.partitions.size(), 3u);
  EXPECT_EQ(third.partitions[2]->topic, "c");
}

TEST_F(FetchSessionTest, WrongEpochAndUnknownSessionAreErrors) {
  const FetchPlan first = open({named("a", 0)});
  EXPECT_EQ(next(first.session_id, 5).error, ErrorCode::invalid_fetch_session_epoch);
  EXPECT_EQ(next(first.session_id + 1, 1).error, ErrorCode::fetch_session_id_not_found);
  EXPECT_EQ(sessions.plan(first.session_id, 1, true, {}, {}, now).error,
            ErrorCode::fetch_session_topic_id_error);
}

TEST_F(FetchSessionTest, FinalEpochEndsTheSession) {
  const FetchPlan first = open({named("a", 0)});
  const FetchPlan last = sessions.plan(first.session_id, -1, false, {named("a", 0)}, {}, now);
  EXPECT_EQ(last.session_id, 0);
  EXPECT_EQ(sessions.size(), 0u);
}

TEST_F(FetchSessionTest, ForgettingEverythingEndsTheSession) {
  const FetchPlan first = open({named("a", 0)});
  EXPECT_EQ(next(first.session_id, 1, {}, {{"a", Uuid{}, 0}}).session_id, 0);
  EXPECT_EQ(sessions.size(), 0u);
}

TEST_F(FetchSessionTest, AFullCacheEvictsOnlyTheIdle) {
  const FetchPlan a = open({named("a", 0)});
  open({named("b", 0)});
  EXPECT_EQ(open({named("c", 0)}).session_id, 0) << "both sessions are young";
  now += FetchSessions::min_eviction_age;
  EXPECT_EQ(next(a.session_id, 1).error, ErrorCode::none);
  EXPECT_NE(open({named("d", 0)}).session_id, 0);
  EXPECT_EQ(next(a.session_id, 2).error, ErrorCode::none) << "the idle one went";
}

TEST_F(FetchSessionTest, AnsweredPartitionGoesToTheEnd) {
  const FetchPlan first = open({named("a", 0), named("a", 1)});
  sessions.move_to_end(first.session_id, *first.partitions[0]);
  const FetchPlan second = next(first.session_id, 1);
  EXPECT_EQ(second.partitions[0]->partition, 1);
  EXPECT_EQ(second.partitions[1]->partition, 0);
}

TEST(FetchWait, FirstNewsWakesOnceAndLeavesAllLists) {
  FetchWaiters a;
  FetchWaiters b;
  int woken = 0;
  FetchWait wait([&] { ++woken; });
  wait.join({&a, &b, &a});
  a.wake_all();
  b.wake_all();
  EXPECT_EQ(woken, 1);
  EXPECT_TRUE(a.empty());
  EXPECT_TRUE(b.empty());
}

TEST(FetchWait, LeavingEarlyKeepsTheOthers) {
  FetchWaiters list;
  int woken = 0;
  FetchWait stays([&] { ++woken; });
  stays.join({&list});
  {
    FetchWait leaves([&] { woken += 100; });
    leaves.join({&list});
  }
  list.wake_all();
  EXPECT_EQ(woken, 1);
}

TEST(FetchWait, APartitionThatGoesAwayWakesItsReaders) {
  int woken = 0;
  FetchWait wait([&] { ++woken; });
  {
    FetchWaiters list;
    wait.join({&list});
  }
  EXPECT_EQ(woken, 1);
}

}  // namespace
}  // namespace chronik::broker
