// Each checker catches the bug that is planted for it: else "zero violations" would say nothing.
// The seed that finds it is printed.
#include "integration/sim/planted_bugs.h"

#include <gtest/gtest.h>

#include <set>

#include "base/log.h"
#include "integration/sim/simulation.h"

namespace chronik::sim {
namespace {

constexpr std::uint64_t seeds_max = 60;

class PlantedBugs : public ::testing::TestWithParam<BugInfo> {};

TEST_P(PlantedBugs, AreCaughtByTheCheckerThatIsForThem) {
  silence_log();
  const BugInfo& info = GetParam();
  Counts counts;
  for (std::uint64_t seed = 1; seed <= seeds_max; ++seed) {
    Simulation run(seed, counts, {.bug = info.bug});
    if (run.run()) continue;
    if (run.verdict().promise() != info.promise) continue;
    std::printf("%s: seed %llu: %s\n", info.name, static_cast<unsigned long long>(seed),
                run.verdict().problem().substr(0, 200).c_str());
    return;
  }
  FAIL() << info.name << " is not found within " << seeds_max << " seeds";
}

INSTANTIATE_TEST_SUITE_P(All, PlantedBugs,
                         ::testing::ValuesIn(planted_bugs().begin(), planted_bugs().end()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(PlantedBugsTest, ThereIsOneForEveryPromise) {
  std::set<Promise> promises;
  for (const BugInfo& info : planted_bugs()) promises.insert(info.promise);
  for (int promise = 0; promise <= static_cast<int>(Promise::liveness); ++promise) {
    EXPECT_TRUE(promises.contains(static_cast<Promise>(promise)))
        << to_string(static_cast<Promise>(promise));
  }
}

}  // namespace
}  // namespace chronik::sim
