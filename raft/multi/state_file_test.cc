#include "raft/multi/state_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/memory_disk.h"
#include "wal/format.h"
#include "wal/group_commit.h"

namespace chronik::raft {
namespace {

using ::testing::HasSubstr;

constexpr const char* directory = "data/p-0";
constexpr const char* path = "data/p-0/raft-state";
const GroupId group{Uuid::from_random(1, 2), 3};

class StateFileTest : public ::testing::Test {
 protected:
  StateFileTest() { EXPECT_TRUE(disk_.make_directories("data")); }
  StateFile fresh() { return StateFile(disk_, directory, group); }
  static ReplicaState state(Term term, NodeId vote) {
    ReplicaState state;
    state.hard = {term, vote, 0};
    state.base = {0, {{1, 2, 3}, {}, {}, {}, false}};
    return state;
  }
  std::optional<ReplicaState> load() { return fresh().load().value(); }

  MemoryDisk disk_;
};

TEST_F(StateFileTest, SurvivesAPowerCutAsItWasSavedLast) {
  EXPECT_EQ(load(), std::nullopt);
  ReplicaState last;
  for (Term term = 1; term <= 5; ++term) {
    last = state(term, term % 3);
    last.hard.withheld_until = term % 2;
    last.commit = 10 * term;
    last.log_damaged = term % 2 == 0;
    last.recovery = term / 2;
    last.recovered_at = term == 4 ? 41 : 0;
    if (term % 2 == 1) last.install = MembershipAt{7, {{4}, {}, {5}, {}, false}};
    StateFile file = fresh();
    ASSERT_TRUE(file.load());
    ASSERT_TRUE(file.save(last));
    Random random(static_cast<std::uint64_t>(term));
    disk_.crash(random, CrashModel::reordered);
    EXPECT_EQ(load(), last);
  }
}

TEST_F(StateFileTest, IsSyncedBeforeItIsReliedOnUnlessItIsKnownToBe) {
  ASSERT_TRUE(fresh().save(state(1, 1)));
  int syncs = 0;
  disk_.set_hook([&](DiskOperation operation, const std::string&) {
    if (operation == DiskOperation::sync_data) ++syncs;
  });
  EXPECT_EQ(fresh().load(wal::DirectorySync::done).value(), state(1, 1));
  EXPECT_EQ(syncs, 0);
  EXPECT_EQ(fresh().load().value(), state(1, 1));
  EXPECT_EQ(syncs, 1);
  disk_.set_hook({});
}

TEST_F(StateFileTest, AtAnyCutOfPowerTheStateIsTheOldOneOrTheNewOne) {
  int old_states = 0;
  int new_states = 0;
  for (std::uint64_t n = 0; n < 4; ++n) {
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
      MemoryDisk disk;
      ASSERT_TRUE(disk.make_directories("data"));
      StateFile file(disk, directory, group);
      ASSERT_TRUE(file.save(state(1, 1)));
      ASSERT_TRUE(file.save(state(2, 2)));
      disk.power_off_after(n);
      const bool saved = file.save(state(3, 3)).has_value();
      Random random(seed);
      disk.crash(random, seed % 2 == 0 ? CrashModel::ordered : CrashModel::reordered);
      const std::optional<ReplicaState> found = StateFile(disk, directory, group).load().value();
      ASSERT_TRUE(found);
      EXPECT_TRUE(*found == state(2, 2) || *found == state(3, 3));
      EXPECT_TRUE(!saved || *found == state(3, 3));
      old_states += *found == state(2, 2) ? 1 : 0;
      new_states += *found == state(3, 3) ? 1 : 0;
      // What was found counts from now on: it stays, whatever happens to the machine.
      disk.crash(random, CrashModel::reordered);
      EXPECT_EQ(StateFile(disk, directory, group).load().value(), found);
    }
  }
  EXPECT_GT(old_states, 0);
  EXPECT_GT(new_states, 0);
}

TEST_F(StateFileTest, AMembershipOfDozensOfNodesIsNeverTornEither) {
  ReplicaState large = state(2, 2);
  large.base.membership = {};
  for (NodeId id = 1; id <= 32; ++id) {
    large.base.membership.voters.push_back(id + 100'000'000);
    large.base.membership.outgoing.push_back(id + 200'000'000);
    large.base.membership.learners.push_back(id + 300'000'000);
    large.base.membership.directories.push_back({id + 100'000'000, Uuid::from_random(7, 8)});
  }
  large.install = MembershipAt{9, large.base.membership};
  for (std::uint64_t n = 0; n < 6; ++n) {
    for (std::uint64_t seed = 0; seed < 30; ++seed) {
      MemoryDisk disk;
      ASSERT_TRUE(disk.make_directories("data"));
      StateFile file(disk, directory, group);
      ASSERT_TRUE(file.save(state(1, 1)) && file.save(large));
      ReplicaState next = large;
      next.hard.term = 3;
      disk.power_off_after(n);
      const bool saved = file.save(next).has_value();
      Random random(seed);
      disk.crash(random, CrashModel::reordered);
      const auto found = StateFile(disk, directory, group).load();
      ASSERT_TRUE(found) << found.error().message;
      EXPECT_TRUE(*found == next || (!saved && *found == large));
    }
  }
}

TEST_F(StateFileTest, AFileThatWasBeingMadeIsNoneOrWhole) {
  for (std::uint64_t n = 0; n < 20; ++n) {
    MemoryDisk disk;
    ASSERT_TRUE(disk.make_directories("data"));
    StateFile file(disk, directory, group);
    disk.power_off_after(n);
    const bool saved = file.save(state(1, 1)).has_value();
    Random random(n);
    disk.crash(random, CrashModel::reordered);
    const auto found = StateFile(disk, directory, group).load();
    ASSERT_TRUE(found) << n << " " << found.error().message;
    EXPECT_TRUE(!saved || *found == state(1, 1));
  }
}

// Without the name that says whose it is the log takes the directory for unfinished and sets it
// aside, with the votes in it.
TEST_F(StateFileTest, AFileThatIsThereAfterAPowerCutIsInADirectoryOfItsOwn) {
  const std::string name = std::string(directory) + "/" + wal::topic_file_name(group.topic_id);
  int there = 0;
  for (std::uint64_t n = 0; n < 15; ++n) {
    for (std::uint64_t seed = 0; seed < 30; ++seed) {
      MemoryDisk disk;
      ASSERT_TRUE(disk.make_directories("data"));
      disk.power_off_after(n);
      (void)StateFile(disk, directory, group).save(state(1, 1));
      Random random(seed);
      disk.crash(random, CrashModel::reordered);
      if (!disk.exists(path).value()) continue;
      ++there;
      EXPECT_TRUE(disk.exists(name).value()) << n << ' ' << seed;
    }
  }
  EXPECT_GT(there, 0);
}

// The process ends when its sync fails; the next one must not stand by a vote that the disk never
// got, or a power cut makes it vote again.
TEST_F(StateFileTest, WhatAFailedSyncLostIsNotReadFromTheCacheByTheNextProcess) {
  int lost = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    MemoryDisk disk;
    ASSERT_TRUE(disk.make_directories("data"));
    StateFile file(disk, directory, group);
    ASSERT_TRUE(file.save(state(1, 1)));
    disk.fail_operation(1, seed);
    ASSERT_FALSE(file.save(state(2, 2)));
    Random random(seed);
    disk.crash(random, CrashModel::kill);
    const std::optional<ReplicaState> read = StateFile(disk, directory, group).load().value();
    lost += read == state(1, 1) ? 1 : 0;
    disk.crash(random, CrashModel::reordered);
    EXPECT_EQ(StateFile(disk, directory, group).load().value(), read) << seed;
  }
  EXPECT_GT(lost, 0);
}

TEST_F(StateFileTest, OneBadSectorLosesNoVote) {
  StateFile file = fresh();
  ASSERT_TRUE(file.save(state(1, 1)));
  ASSERT_TRUE(file.save(state(2, 2)));
  for (const std::uint64_t position : {0u, 4096u, 8192u, 12288u}) {
    disk_.flip_bit(path, position + 30, 3);
    EXPECT_EQ(load(), state(2, 2)) << position;  // and mended
  }
}

TEST_F(StateFileTest, ASlotThatIsLostIsToldWithFileAndWayOut) {
  StateFile file = fresh();
  ASSERT_TRUE(file.save(state(1, 1)));
  ASSERT_TRUE(file.save(state(2, 2)));
  disk_.flip_bit(path, 30, 3);
  disk_.flip_bit(path, 4096 + 30, 3);
  const auto refused = fresh().load();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::corrupt);
  EXPECT_THAT(refused.error().message, HasSubstr(path));
  EXPECT_THAT(refused.error().message, HasSubstr("vote"));
  EXPECT_THAT(refused.error().message, HasSubstr("remove the whole data directory"));
}

TEST_F(StateFileTest, ATruncatedFileIsDamage) {
  StateFile file = fresh();
  ASSERT_TRUE(file.save(state(1, 1)));
  Bytes content = disk_.content(path);
  content.resize(5000);
  disk_.set_content(path, content);
  EXPECT_EQ(fresh().load().error().code, Errc::corrupt);
}

TEST_F(StateFileTest, AnotherGroupsFileIsRefused) {
  StateFile file = fresh();
  ASSERT_TRUE(file.save(state(1, 1)));
  StateFile other(disk_, directory, GroupId{group.topic_id, 4});
  EXPECT_EQ(other.load().error().code, Errc::invalid_argument);
}

TEST_F(StateFileTest, ManyGroupsAreWrittenTogetherAndTheFailureIsFatal) {
  wal::LogEnvironment environment(disk_);
  std::string fatal;
  environment.on_fatal = [&](const Error& error) { fatal = error.message; };
  wal::ManualIoExecutor executor;
  wal::GroupCommit group_commit(environment, executor);
  StateFile first(disk_, "data/a-0", group);
  StateFile second(disk_, "data/b-0", group);
  ASSERT_TRUE(first.save(state(1, 1)) && second.save(state(1, 1)));
  int done = 0;
  const auto write = [&](const ReplicaState& of_first, const ReplicaState& of_second) {
    std::vector<wal::StateWrite> writes;
    writes.push_back(first.write_of(of_first));
    writes.push_back(second.write_of(of_second));
    group_commit.save_states(std::move(writes), [&] { ++done; });
  };
  write(state(2, 1), state(3, 2));
  EXPECT_EQ(done, 0);
  executor.run_all();
  EXPECT_EQ(done, 1);
  EXPECT_EQ(StateFile(disk_, "data/a-0", group).load().value(), state(2, 1));
  EXPECT_EQ(StateFile(disk_, "data/b-0", group).load().value(), state(3, 2));
  disk_.fail_operation(1);
  write(state(4, 1), state(4, 2));
  executor.run_all();
  EXPECT_EQ(done, 1);
  EXPECT_FALSE(fatal.empty());
}

}  // namespace
}  // namespace chronik::raft
