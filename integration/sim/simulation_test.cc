// A few hundred simulated clusters; the program sim runs as many as wanted. A failure prints the
// seed and the command that shows it again.
#include "integration/sim/simulation.h"

#include <gtest/gtest.h>

#include "base/log.h"

namespace chronik::sim {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t seeds = 8;
#else
constexpr std::uint64_t seeds = 100;
#endif

// In parts, so that several run at a time.
class ClusterSimulation : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(ClusterSimulation, KeepsEveryPromise) {
  silence_log();
  tell_seed_on_abort();
  Counts counts;
  for (std::uint64_t seed = GetParam(); seed < GetParam() + seeds; ++seed) {
    Simulation run(seed, counts);
    ASSERT_TRUE(run.run()) << "seed " << seed << ": " << run.verdict().problem() << "\n("
                           << run.plan().describe() << ")\nagain: build/release/" << run.command()
                           << " --trace";
  }
  std::printf("%s", counts.describe().c_str());
  // Else the runs would prove nothing.
  EXPECT_GE(counts.elections, seeds);
  EXPECT_GT(counts.made, seeds * 20);
  EXPECT_GT(counts.reads, seeds * 20);
  EXPECT_GT(counts.snapshots, seeds);
  EXPECT_GT(counts.kills + counts.power_cuts, seeds);
  EXPECT_GT(counts.partition_elections, seeds);
  EXPECT_GT(counts.batches_acknowledged, seeds * 100);
  EXPECT_GT(counts.duplicates_answered, seeds);
  // Of a few seeds perhaps none has one.
  if (seeds >= 100) {
    EXPECT_GT(counts.leaders_lost, seeds / 4);
  }
  EXPECT_GT(counts.partition_reads, seeds * 50);
  EXPECT_GT(counts.follower_reads, seeds * 10);
}

INSTANTIATE_TEST_SUITE_P(Seeds, ClusterSimulation, ::testing::Values(1, 1'001, 2'001, 3'001),
                         [](const auto& info) { return "From" + std::to_string(info.param); });

/// Of a seed that once broke something.
Counts counts_of(std::uint64_t seed) {
  silence_log();
  tell_seed_on_abort();
  Counts counts;
  Simulation run(seed, counts);
  EXPECT_TRUE(run.run()) << run.verdict().problem();
  return counts;
}

// A bit flips in the moment in which the machine's power has gone and nobody has noticed.
TEST(ClusterSimulationTest, ADiskWithoutPowerIsDamagedToo) {
  EXPECT_GT(counts_of(82'011'210).flips, 0u);
}

// Batches of an epoch that its producer has left come behind the first of the next one.
TEST(ClusterSimulationTest, AProducerThatBeginsAnewIsToldOfNoGap) {
  EXPECT_GT(counts_of(83'007'122).new_epochs, 0u);
}

// One seed is one run: else no failure could be seen again.
TEST(ClusterSimulationTest, TheSameSeedTakesTheSamePath) {
  silence_log();
  for (const std::uint64_t seed : {5u, 23u}) {
    Counts first;
    Counts second;
    EXPECT_TRUE(Simulation(seed, first).run());
    EXPECT_TRUE(Simulation(seed, second).run());
    EXPECT_EQ(first.describe(), second.describe());
  }
}

}  // namespace
}  // namespace chronik::sim
