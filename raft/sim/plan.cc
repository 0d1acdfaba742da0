#include "raft/sim/plan.h"

#include <spdlog/fmt/fmt.h>

namespace chronik::raft::sim {

Plan::Plan(std::uint64_t from) : seed(from) {
  Random random(from);
  const auto maybe = [&](std::uint64_t percent) { return random.below(100) < percent; };
  voters = maybe(60) ? 3 : (maybe(50) ? 5 : 4);
  delay_units_max = maybe(50) ? 40 : (maybe(50) ? 150 : 600);
  lost_percent = maybe(50) ? 0 : static_cast<int>(random.below(25));
  repeated_percent = maybe(50) ? 0 : static_cast<int>(random.below(25));
  old_messages = maybe(40);
  disk_units_max = maybe(60) ? 50 : 400;
  slow_disks = maybe(25);
  crashes = maybe(60);
  damages = crashes && maybe(25);
  partitions = maybe(50);
  one_way_cuts = maybe(30);
  pauses = maybe(30);
  changes = maybe(50);
  transfers = maybe(40);
  compacts = maybe(50);
  reads_from_disk = maybe(40);
  lazy = maybe(40);
  leases = maybe(25);
  tight = maybe(50);
  node_down_hints = !leases && maybe(40);
  pool = voters + (changes ? 2 : 0);
  rests = Random(seed ^ 0x2E57).below(100) < 50;
  // A change that asks for the vote of the damaged one could wait for ever (raft.h, "Withheld").
  if (changes) damages = false;
  // A lease that is too long shows only where somebody else is elected meanwhile.
  if (leases) partitions = transfers = crashes = true;
}

std::string Plan::describe() const {
  std::string text = fmt::format("{} voters of {}, delay {}, disk {}", voters, pool,
                                 delay_units_max, disk_units_max);
  if (lost_percent > 0) text += fmt::format(", {}% lost", lost_percent);
  if (repeated_percent > 0) text += fmt::format(", {}% repeated", repeated_percent);
  const std::pair<bool, const char*> kinds[] = {{old_messages, "old messages"},
                                                {slow_disks, "slow disks"},
                                                {crashes, "crashes"},
                                                {damages, "damages"},
                                                {partitions, "partitions"},
                                                {one_way_cuts, "one-way cuts"},
                                                {pauses, "pauses"},
                                                {changes, "changes"},
                                                {transfers, "transfers"},
                                                {compacts, "compaction"},
                                                {reads_from_disk, "reads from disk"},
                                                {lazy, "late readys"},
                                                {leases, "leases"},
                                                {tight, "tight limits"},
                                                {node_down_hints, "hints of ended processes"},
                                                {rests, "rests"}};
  for (const auto& [has, name] : kinds) {
    if (has) text += fmt::format(", {}", name);
  }
  return text;
}

}  // namespace chronik::raft::sim
