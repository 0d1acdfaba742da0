// metadata_crash: cuts the power of a metadata store on the fake disk at random points and checks
// what comes back. The last line is the counts; a broken promise prints what it was and how to see
// it again, and ends with 1.
#include <spdlog/fmt/fmt.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "base/log.h"
#include "metadata/crash_run.h"

namespace chronik::metadata {
namespace {

// A fresh disk now and then, since histories of one disk grow alike.
constexpr std::uint64_t points_per_disk = 200;

int run(std::uint64_t seed, std::uint64_t points) {
  CrashCounts counts;
  for (std::uint64_t disk = 0; counts.points < points; ++disk) {
    CrashRun crash_run(seed + disk, counts);
    const std::uint64_t until = std::min(points, counts.points + points_per_disk);
    const std::uint64_t before = counts.points;
    while (counts.points < until) {
      if (crash_run.life()) continue;
      fmt::print("seed {}: {}\nagain: metadata_crash --seed {} --points {}\n", seed + disk,
                 crash_run.problem(), seed + disk, counts.points - before + 1);
      return 1;
    }
  }
  fmt::print(
      "{} crash points ({} in a recovery, {} in a snapshot), {} clean stops; {} proposals, {} "
      "acknowledged, all there; {} not acknowledged kept, {} lost; {} snapshots written, {} starts "
      "from one, {} of a shortened log; seed {}\n",
      counts.points, counts.in_recovery, counts.in_snapshot, counts.clean_stops, counts.proposals,
      counts.acknowledged, counts.unacknowledged_kept, counts.unacknowledged_lost, counts.snapshots,
      counts.snapshots_started_from, counts.trims, seed);
  return 0;
}

}  // namespace
}  // namespace chronik::metadata

int main(int argc, char** argv) {
  CLI::App app{"Cuts the power of a metadata store at random points and checks what comes back"};
  std::uint64_t seed = 1;
  std::uint64_t points = 10'000;
  app.add_option("--seed", seed, "of the first disk; the next ones follow")->capture_default_str();
  app.add_option("--points", points, "how many crashes")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  chronik::set_log_level(chronik::LogLevel::error);
  return chronik::metadata::run(seed, points);
}
