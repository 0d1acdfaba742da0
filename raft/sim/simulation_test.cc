// A few hundred simulated runs; raft_sim runs as many as wanted. A failure prints the seed:
//   build/release/raft_sim --count 1 --trace --seed N
#include "raft/sim/simulation.h"

#include <gtest/gtest.h>

namespace chronik::raft::sim {
namespace {

// In parts, so that several run at a time.
class RaftSimulation : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(RaftSimulation, KeepsEveryPromise) {
  constexpr std::uint64_t seeds = 100;
  Counts counts;
  tell_seed_on_abort();
  for (std::uint64_t seed = GetParam(); seed < GetParam() + seeds; ++seed) {
    Simulation run(seed, counts);
    ASSERT_TRUE(run.run()) << run.problem() << "\n(" << run.plan().describe()
                           << ")\nagain: raft_sim "
                           << "--count 1 --trace --seed " << seed;
  }
  // Else the runs would prove nothing.
  EXPECT_GT(counts.elections, seeds);
  EXPECT_GT(counts.committed, seeds * 20);
  EXPECT_GT(counts.reads, seeds * 10);
  EXPECT_GT(counts.lease_reads, 0u);
  EXPECT_GT(counts.crashes, seeds / 10);
  EXPECT_GT(counts.damages, 0u);
  EXPECT_GT(counts.changes, seeds / 2);
  EXPECT_GT(counts.snapshots_installed, 0u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RaftSimulation, ::testing::Values(1, 101, 201, 301),
                         [](const auto& info) { return "From" + std::to_string(info.param); });

// One seed is one run: else no failure could be seen again.
TEST(RaftSimulationTest, TheSameSeedTakesTheSamePath) {
  for (std::uint64_t seed : {3u, 17u, 44u}) {
    Counts first;
    Counts second;
    Simulation once(seed, first);
    Simulation twice(seed, second);
    EXPECT_TRUE(once.run());
    EXPECT_TRUE(twice.run());
    EXPECT_EQ(first.events, second.events);
    EXPECT_EQ(first.elections, second.elections);
    EXPECT_EQ(first.committed, second.committed);
    EXPECT_EQ(first.reads, second.reads);
  }
}

}  // namespace
}  // namespace chronik::raft::sim
