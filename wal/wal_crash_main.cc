// wal_crash: cuts the power of partition logs on a fake disk at random operations, many times, and
// says what it found; logs with even seeds are compacted meanwhile (--logs takes only these, or
// only the others). Exit status 1 when anything acknowledged is missing, invented or out of order.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "base/log.h"
#include "wal/compaction_torture.h"
#include "wal/log_torture.h"

namespace {

using chronik::wal::testing::CompactionTorture;
using chronik::wal::testing::LogTorture;
using chronik::wal::testing::TortureCounts;

std::uint64_t crash_points(const TortureCounts& counts) {
  return counts.power_cuts + counts.kills;  // those during recovery are among them
}

void print(const TortureCounts& counts, std::uint64_t seed, std::uint64_t disks) {
  std::printf(
      "seed %llu, %llu disks: %llu crash points (%llu power cuts, %llu kills, of all %llu during "
      "recovery), %llu failed operations, %llu clean stops\n"
      "%llu entries (of compacted logs: records) appended, %llu acknowledged, %llu torn tails cut, "
      "%llu checkpoints, %llu "
      "rolls, "
      "%llu segments deleted, %llu truncations, %llu partitions deleted, %llu read checks, "
      "%llu compactions\n"
      "%llu frames of journals, %llu of their writes copied at starts, %llu segments synced for "
      "them\n",
      static_cast<unsigned long long>(seed), static_cast<unsigned long long>(disks),
      static_cast<unsigned long long>(crash_points(counts)),
      static_cast<unsigned long long>(counts.power_cuts),
      static_cast<unsigned long long>(counts.kills),
      static_cast<unsigned long long>(counts.recoveries_cut),
      static_cast<unsigned long long>(counts.failed_operations),
      static_cast<unsigned long long>(counts.clean_stops),
      static_cast<unsigned long long>(counts.appends),
      static_cast<unsigned long long>(counts.acked),
      static_cast<unsigned long long>(counts.torn_tails),
      static_cast<unsigned long long>(counts.checkpoints),
      static_cast<unsigned long long>(counts.rolls),
      static_cast<unsigned long long>(counts.segments_deleted),
      static_cast<unsigned long long>(counts.truncations),
      static_cast<unsigned long long>(counts.partitions_deleted),
      static_cast<unsigned long long>(counts.reads),
      static_cast<unsigned long long>(counts.compactions),
      static_cast<unsigned long long>(counts.journal_frames),
      static_cast<unsigned long long>(counts.journal_writes_replayed),
      static_cast<unsigned long long>(counts.journal_releases));
}

void print_operation(chronik::DiskOperation operation, const std::string& path) {
  using chronik::DiskOperation;
  if (operation == DiskOperation::read || operation == DiskOperation::list) return;
  constexpr const char* names[] = {"read",     "list",          "create",         "write",
                                   "truncate", "sync_data",     "make_directory", "rename",
                                   "remove",   "sync_directory"};
  std::fprintf(stderr, "%s %s\n", names[static_cast<int>(operation)], path.c_str());
}

/// One disk through its lives; what went wrong, or nothing.
template <class Torture>
std::string run(std::uint64_t seed, int lives, bool trace, TortureCounts& counts) {
  Torture torture(seed, counts);
  if (trace) torture.set_trace(print_operation);
  for (int life = 0; life < lives; ++life) {
    const std::string problem = torture.live();
    if (!problem.empty()) return fmt::format("life {}: {}", life, problem);
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Random crashes of partition logs on a fake disk"};
  std::uint64_t seed = 1;
  std::uint64_t points = 100'000;
  int lives = 25;
  bool verbose = false;
  app.add_option("--seed", seed, "Where the run begins; the same seed, the same run");
  app.add_option("--points", points, "Crash points to reach");
  app.add_option("--lives", lives, "Process lives of each disk");
  std::string logs = "all";
  app.add_option("--logs", logs, "compacted (even seeds), plain (odd ones) or all")
      ->check(CLI::IsMember({"all", "compacted", "plain"}));
  bool trace = false;
  app.add_flag("--verbose", verbose, "Log lines of the logs");
  app.add_flag("--trace", trace, "Every change of the disk, on stderr");
  CLI11_PARSE(app, argc, argv);
  if (!verbose) chronik::set_log_level(chronik::LogLevel::error);

  TortureCounts counts;
  std::uint64_t disks = 0;
  for (std::uint64_t at = seed; crash_points(counts) < points; ++at) {
    const bool compacts = at % 2 == 0;
    if (logs != "all" && compacts != (logs == "compacted")) continue;
    ++disks;
    const std::string problem = compacts ? run<CompactionTorture>(at, lives, trace, counts)
                                         : run<LogTorture>(at, lives, trace, counts);
    if (problem.empty()) continue;
    print(counts, seed, disks);
    std::printf("FAILED in %s\nagain: wal_crash --seed %llu --lives %d --points 1\n",
                problem.c_str(), static_cast<unsigned long long>(at), lives);
    return 1;
  }
  print(counts, seed, disks);
  std::printf("everything acknowledged is there, nothing was invented, the order is kept\n");
  return 0;
}
