// What a replica finds that was cut off while its log was replaced by what another node sent.
#include "raft/multi/replica_files.h"

#include <gtest/gtest.h>

#include "raft/multi/test_start.h"

namespace chronik::raft {
namespace {

using testing::TestStart;

constexpr Index entries = 60;
constexpr Index install_index = 90;

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
      TestStart t;
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
