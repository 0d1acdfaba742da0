#include "raft/multi/log_store.h"

#include <gtest/gtest.h>

#include "raft/multi/test_start.h"

namespace chronik::raft {
namespace {

constexpr std::uint64_t budget = 10'000;

class RecentEntries : public ::testing::Test {
 protected:
  std::unique_ptr<LogStore> make(int number) {
    const std::string topic = "t" + std::to_string(number);
    auto store = std::make_unique<LogStore>(
        wal::PartitionLog::create(*start_.environment, "data/" + topic + "-0",
                                  {topic, 0, Uuid::from_random(1, 2)},
                                  wal::testing::small_segments(), nullptr),
        *start_.group_commit);
    store->keep_recent(recent_);
    start_.group_commit->add(store->log());
    return store;
  }
  static void append(LogStore& store, int count, std::size_t bytes) {
    for (int i = 0; i < count; ++i) {
      const Entry entry{1, store.last_index() + 1, EntryKind::data,
                        wal::testing::make_batch({.epoch = 1, .value_bytes = bytes})};
      ASSERT_TRUE(store.append({entry}));
    }
  }
  /// How many of the last entries are in memory.
  static Index kept(const LogStore& store) {
    Index begin = store.last_index() + 1;
    while (begin > 1 && store.entries(begin - 1, store.last_index() + 1, budget * 10)) --begin;
    return store.last_index() + 1 - begin;
  }

  chronik::raft::testing::TestStart start_;
  RecentBudget recent_{budget};
};

TEST_F(RecentEntries, OfOneLogFillTheBudget) {
  const std::unique_ptr<LogStore> store = make(1);
  append(*store, 50, 900);
  EXPECT_EQ(kept(*store), 10);
  EXPECT_LE(recent_.bytes(), budget);
}

TEST_F(RecentEntries, OfManyLogsTogetherDoNotExceedIt) {
  std::vector<std::unique_ptr<LogStore>> stores;
  for (int i = 0; i < 5; ++i) stores.push_back(make(i));
  for (int round = 0; round < 20; ++round) {
    for (const auto& store : stores) append(*store, 1, 900);
  }
  EXPECT_LE(recent_.bytes(), budget);
  for (const auto& store : stores) EXPECT_EQ(kept(*store), 2);
  stores.resize(1);
  append(*stores[0], 20, 900);
  EXPECT_EQ(kept(*stores[0]), 10) << "the share of those that have ended";
}

TEST_F(RecentEntries, OneThatIsTooLargeStaysAsLongAsThereIsRoom) {
  const std::unique_ptr<LogStore> first = make(1);
  const std::unique_ptr<LogStore> second = make(2);
  append(*first, 1, 7'000);
  append(*second, 1, 2'000);
  EXPECT_EQ(kept(*first), 1);
  EXPECT_EQ(kept(*second), 1);
  append(*second, 1, 7'000);
  EXPECT_EQ(kept(*second), 0);
  EXPECT_LE(recent_.bytes(), budget);
}

TEST_F(RecentEntries, AreNoneWhenTheyAreForgotten) {
  const std::unique_ptr<LogStore> store = make(1);
  append(*store, 5, 900);
  store->forget_recent();
  EXPECT_EQ(recent_.bytes(), 0u);
  EXPECT_EQ(kept(*store), 0);
  append(*store, 1, 900);
  EXPECT_EQ(kept(*store), 1);
}

}  // namespace
}  // namespace chronik::raft
