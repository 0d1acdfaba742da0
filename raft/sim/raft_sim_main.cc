// raft_sim: runs simulated groups, a seed each, until one breaks a promise. The last line is the
// counts; a broken promise prints what it was and how to see it again, and ends with 1.
#include <spdlog/fmt/fmt.h>

#include <CLI/CLI.hpp>

#include "raft/sim/simulation.h"

int main(int argc, char** argv) {
  CLI::App app{"Runs simulated Raft groups and checks their promises after every event"};
  std::uint64_t seed = 1;
  std::uint64_t count = 1000;
  bool trace = false;
  app.add_option("--seed", seed, "of the first run; the next ones follow")->capture_default_str();
  app.add_option("--count", count, "how many runs")->capture_default_str();
  app.add_flag("--trace", trace, "print every event");
  CLI11_PARSE(app, argc, argv);
  chronik::raft::sim::tell_seed_on_abort();

  namespace sim = chronik::raft::sim;
  sim::Counts counts;
  for (std::uint64_t running = seed; running < seed + count; ++running) {
    sim::Simulation run(running, counts, trace);
    if (trace) fmt::print("{}\n", run.plan().describe());
    if (run.run()) continue;
    fmt::print("seed {}: {}\n({})\nagain: raft_sim --count 1 --trace --seed {}\n", running,
               run.problem(), run.plan().describe(), running);
    return 1;
  }
  fmt::print(
      "{} runs kept every promise: {} events, {} elections, {} entries committed, {} reads ({} "
      "with a lease), {} crashes ({} with damage), {} changes of membership, {} hand-overs, {} "
      "snapshots fetched; first seed {}\n",
      counts.runs, counts.events, counts.elections, counts.committed, counts.reads,
      counts.lease_reads, counts.crashes, counts.damages, counts.changes, counts.transfers,
      counts.snapshots_installed, seed);
  return 0;
}
