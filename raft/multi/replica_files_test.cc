// What a replica finds that was cut off while its log was replaced by what another node sent.
#include "raft/multi/replica_files.h"

#include <gtest/gtest.h>

#include "base/memory_disk.h"
#include "wal/io_executor.h"
#include "wal/test_log.h"

namespace chronik::raft {
namespace {

constexpr const char* directory = "data/t-0";
constexpr Index entries = 60;
constexpr Index install_index = 90;

struct Start {
  MemoryDisk disk;
  wal::ManualIoExecutor io;
  std::unique_ptr<wal::LogEnvironment> environment;
  std::unique_ptr<wal::GroupCommit> group_commit;
  wal::testing::SeenEntries derived;

  Start() {
    CHECK(disk.make_directories("data"));
    begin();
  }
  void begin() {
    environment = std::make_unique<wal::LogEnvironment>(disk);
    environment->on_fatal = [](const Error&) {};
    group_commit = std::make_unique<wal::GroupCommit>(*environment, io);
  }
  void cut_power(std::uint64_t seed, CrashModel model) {
    io.abandon();
    group_commit.reset();
    Random random(seed);
    disk.crash(random, model);
    begin();
  }
  ReplicaPlace place() {
    return {1,
            directory,
            {"t", 0, Uuid::from_random(1, 2)},
            wal::testing::small_segments(),
            &derived,
            {{1, 2, 3}, {}, {}, {}, false}};
  }
  Result<ReplicaFiles> open() { return open_replica_files(*environment, *group_commit, place()); }
};

/// How often a start found what, over all power cuts while a log is replaced that goes on at `end`.
struct Outcomes {
  int kept = 0;
  int replaced = 0;
  int withheld = 0;
};

Outcomes replace_under_power_cuts(Offset end) {
  Outcomes outcomes;
  for (const CrashModel model : {CrashModel::ordered, CrashModel::reordered}) {
    for (std::uint64_t n = 0;; ++n) {
      Start t;
      bool whole = false;
      {
        Result<ReplicaFiles> files = t.open();
        CHECK(files && n < 1'000u);
        wal::PartitionLog& log = files->store->log();
        for (Index i = 0; i < entries; ++i) {
          log.append(wal::testing::make_batch({.base_offset = log.end_offset(), .epoch = 1}));
        }
        CHECK(log.flush());
        ReplicaState state = files->state;
        state.hard.term = 3;
        state.install = MembershipAt{install_index, state.base.membership};
        CHECK(files->state_file->save(state));
        log.restart_at(wal::nothing_before(end, install_index, 2));
        t.disk.power_off_after(n);
        whole = log.flush().has_value();
      }
      t.cut_power(n, model);
      const Result<ReplicaFiles> files = t.open();
      CHECK(files);
      const bool has_all = files->store->last_index() == entries;
      const bool begins_behind = files->store->first_index() == install_index + 1;
      ++(files->log_damaged ? outcomes.withheld
         : begins_behind    ? outcomes.replaced
                            : outcomes.kept);
      EXPECT_TRUE(has_all || begins_behind || files->log_damaged) << n;
      EXPECT_EQ(files->log_damaged, files->state.hard.withheld_until != 0) << n;
      if (whole) break;
    }
  }
  return outcomes;
}

// All its entries were acknowledged, and the state file knows of none that was committed: one that
// came back with fewer and voted would help somebody to lead who has not what this one had.
TEST(ReplicaFiles, AVoterWhoseLogWasBeingReplacedIsWithheldUnlessItHasAll) {
  const Outcomes longer = replace_under_power_cuts(20);
  EXPECT_GT(longer.kept, 0);
  EXPECT_GT(longer.replaced, 0);
  EXPECT_GT(longer.withheld, 3);
}

TEST(ReplicaFiles, AVoterWhoseLogWasBeingReplacedByALongerOneHasThisOneOrThat) {
  const Outcomes shorter = replace_under_power_cuts(70);
  EXPECT_GT(shorter.kept, 0);
  EXPECT_GT(shorter.replaced, 0);
  EXPECT_EQ(shorter.withheld, 0);
}

}  // namespace
}  // namespace chronik::raft
