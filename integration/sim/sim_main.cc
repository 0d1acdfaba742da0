// sim: runs simulated clusters, a seed each, until one breaks a promise. The last lines are the
// counts; a broken promise prints what it was and how to see it again, and ends with 1.
#include <spdlog/fmt/fmt.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "base/log.h"
#include "integration/sim/simulation.h"

namespace {

void list_bugs() {
  for (const chronik::sim::BugInfo& info : chronik::sim::planted_bugs()) {
    fmt::print("{:<26} {} [{}]\n", info.name, info.what, to_string(info.promise));
  }
}

}  // namespace

int main(int argc, char** argv) {
  namespace sim = chronik::sim;
  CLI::App app{
      "Runs simulated clusters of whole nodes and checks their promises after every event"};
  std::uint64_t seed = 1;
  std::uint64_t count = 1;
  std::uint64_t progress = 1'000;
  std::string bug;
  bool bugs = false;
  sim::SimulationOptions options;
  app.add_option("--seed", seed, "of the first run; the next ones follow")->capture_default_str();
  app.add_option("--count", count, "how many runs")->capture_default_str();
  app.add_option("--progress", progress, "a line after so many runs")->capture_default_str();
  app.add_flag("--trace", options.trace, "print what happens");
  app.add_option("--plant", bug, "the bug to plant, see --bugs");
  app.add_flag("--bugs", bugs, "list the bugs that can be planted, and the promises they break");
  CLI11_PARSE(app, argc, argv);
  if (bugs) {
    list_bugs();
    return 0;
  }
  if (!bug.empty()) {
    const auto found = sim::bug_of(bug);
    if (!found) {
      fmt::print(stderr, "no bug '{}'; --bugs lists them\n", bug);
      return 2;
    }
    options.bug = *found;
  }
  if (!options.trace) chronik::silence_log();
  sim::tell_seed_on_abort();
  sim::Counts counts;
  for (std::uint64_t running = seed; running < seed + count; ++running) {
    sim::Simulation run(running, counts, options);
    if (options.trace) fmt::print("{}\n", run.plan().describe());
    if (!run.run()) {
      fmt::print("seed {}: {}\n({})\nagain: {} --trace\n{}", running, run.verdict().problem(),
                 run.plan().describe(), run.command(), counts.describe());
      return 1;
    }
    if (progress > 0 && counts.runs % progress == 0) {
      fmt::print("{} runs, the last seed is {}\n", counts.runs, running);
      std::fflush(stdout);
    }
  }
  fmt::print("seeds {} to {} kept every promise\n{}", seed, seed + count - 1, counts.describe());
  return 0;
}
