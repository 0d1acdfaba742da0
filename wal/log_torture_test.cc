// A few seconds of what wal_crash does at length.
#include "wal/log_torture.h"

#include <gtest/gtest.h>

#include "wal/compaction_torture.h"

namespace chronik::wal {
namespace {

TEST(LogTorture, NothingAcknowledgedIsLostNothingIsInventedOrderIsKept) {
  set_log_level(LogLevel::error);
  testing::TortureCounts counts;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    testing::LogTorture torture(seed, counts);
    for (int life = 0; life < 25; ++life) {
      const std::string problem = torture.live();
      ASSERT_EQ(problem, "") << "life " << life << "; again: wal_crash --seed " << seed
                             << " --lives 25 --points 1";
    }
  }
  set_log_level(LogLevel::info);
  EXPECT_GT(counts.acked, 1000u);
  EXPECT_GT(counts.torn_tails, 20u);
  EXPECT_GT(counts.recoveries_cut, 20u);
  EXPECT_GT(counts.clean_stops, 20u);
  EXPECT_GT(counts.truncations, 20u);
  EXPECT_GT(counts.partitions_deleted, 20u);
  EXPECT_GT(counts.journal_frames, 200u);
  EXPECT_GT(counts.journal_writes_replayed, 50u);
}

TEST(CompactionTorture, OnlyWhatWasSupersededIsMissingAndNothingComesBack) {
  set_log_level(LogLevel::error);
  testing::TortureCounts counts;
  for (std::uint64_t seed = 2; seed <= 120; seed += 2) {
    testing::CompactionTorture torture(seed, counts);
    for (int life = 0; life < 25; ++life) {
      const std::string problem = torture.live();
      ASSERT_EQ(problem, "") << "life " << life << "; again: wal_crash --seed " << seed
                             << " --lives 25 --points 1";
    }
  }
  set_log_level(LogLevel::info);
  EXPECT_GT(counts.compactions, 500u);
  EXPECT_GT(counts.recoveries_cut, 20u);
  EXPECT_GT(counts.clean_stops, 20u);
  EXPECT_GT(counts.journal_frames, 500u);
}

}  // namespace
}  // namespace chronik::wal
