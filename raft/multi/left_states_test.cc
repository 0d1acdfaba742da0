#include "raft/multi/left_states.h"

#include <gtest/gtest.h>

#include "base/memory_disk.h"
#include "base/random.h"
#include "raft/core/options.h"
#include "raft/multi/state_file.h"

namespace chronik::raft {
namespace {

const GroupId group{Uuid::from_random(1, 2), 3};

struct LeftStatesTest : ::testing::Test {
  LeftStatesTest() { CHECK(disk.make_directories("data")); }
  void cut_power(CrashModel model = CrashModel::reordered) {
    Random random(7);
    disk.crash(random, model);
  }
  MemoryDisk disk;
  LeftStates left{disk, "data"};
};

TEST_F(LeftStatesTest, TheReplicaComesBackInALaterTermAndWithheld) {
  EXPECT_EQ(left.find(group).value(), std::nullopt);
  const HardState last{.term = 5, .vote = 2};
  ASSERT_TRUE(left.keep(group, last));
  cut_power();
  EXPECT_EQ(left.find(group).value(), (LeftState{withhold(last)}));
  EXPECT_EQ(left.find({group.topic_id, 4}).value(), std::nullopt);
  const auto kept = left.list().value();
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_EQ(kept[0].group, group);
  EXPECT_EQ(kept[0].directory, left.directory_of(group));
}

TEST_F(LeftStatesTest, NothingOlderTakesItsPlace) {
  ASSERT_TRUE(left.keep(group, {.term = 5, .vote = 2}));
  ASSERT_TRUE(left.keep(group, {.term = 4}));
  EXPECT_EQ(left.find(group).value()->hard.term, 6);
  ASSERT_TRUE(left.keep(group, {.term = 8, .withheld_until = until_told}));
  EXPECT_EQ(left.find(group).value(), (LeftState{{9, no_node, until_told}}));
}

// The partition went on with what another replica had: what was promised before is of no worth.
TEST_F(LeftStatesTest, OnlyTheLastRecoveryCounts) {
  ASSERT_TRUE(left.keep(group, {.term = 50}));
  GroupId later = group;
  later.recovery = 2;
  ASSERT_TRUE(left.keep(later, {.term = 7}));
  EXPECT_EQ(left.find(group).value(), (LeftState{withhold({.term = 7}), 2}));
  ASSERT_TRUE(left.keep(group, {.term = 60}));
  EXPECT_EQ(left.find(group).value()->recovery, 2);
}

// A start that finds the directory of a replica that was to go.
TEST_F(LeftStatesTest, KeepsWhatAnEarlierRunLeft) {
  ASSERT_TRUE(left.keep_of("data/t-3", group)) << "it has no state";
  EXPECT_EQ(left.find(group).value(), std::nullopt);
  ReplicaState state;
  state.hard = {.term = 11, .vote = 1};
  ASSERT_TRUE(StateFile(disk, "data/t-3", group).save(state));
  ASSERT_TRUE(left.keep_of("data/t-3", group));
  cut_power();
  EXPECT_EQ(left.find(group).value(), (LeftState{withhold(state.hard)}));
}

TEST_F(LeftStatesTest, IsWholeOrOldAfterEveryPowerCut) {
  for (std::uint64_t n = 0;; ++n) {
    ASSERT_LT(n, 100u);
    MemoryDisk other;
    ASSERT_TRUE(other.make_directories("data"));
    LeftStates states(other, "data");
    ASSERT_TRUE(states.keep(group, {.term = 5}));
    other.power_off_after(n);
    const bool whole = states.keep(group, {.term = 8}).has_value();
    Random random(n);
    other.crash(random, CrashModel::reordered);
    const auto found = states.find(group);
    ASSERT_TRUE(found && *found) << n;
    EXPECT_TRUE((*found)->hard.term == 9 || (!whole && (*found)->hard.term == 6)) << n;
    if (whole) break;
  }
}

}  // namespace
}  // namespace chronik::raft
