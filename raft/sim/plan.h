// Plan: what a seed decides about one simulated run, before its first event. Swarm testing: every
// run has some kinds of trouble and not others, since a run that has all of them gets nowhere.
#pragma once

#include <cstdint>
#include <string>

#include "base/random.h"

namespace chronik::raft::sim {

/// Time is counted in units; a tick of a node takes about tick_units.
inline constexpr std::int64_t tick_units = 100;

struct Plan {
  explicit Plan(std::uint64_t seed);
  std::string describe() const;

  std::uint64_t seed;
  int voters = 3;
  int pool = 3;  // nodes that may ever be members
  std::uint64_t events = 4000;
  int delay_units_max = 40;
  int lost_percent = 0;
  int repeated_percent = 0;   // arrive a second time, at any later time
  bool old_messages = false;  // any message ever sent may come again
  int disk_units_max = 50;
  bool slow_disks = false;
  bool crashes = false;
  bool damages = false;
  bool partitions = false;
  bool one_way_cuts = false;
  bool pauses = false;
  bool changes = false;
  bool transfers = false;
  bool compacts = false;
  bool reads_from_disk = false;  // old entries are not in memory
  bool lazy = false;             // Readys are taken late, so that much is in one
  bool leases = false;
  bool tight = false;  // small messages, windows and limits
  bool node_down_hints = false;
  bool rests = false;  // the group, when nothing happens
};

}  // namespace chronik::raft::sim
