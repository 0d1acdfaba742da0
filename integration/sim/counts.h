// Counts: what simulated runs went through, faults by kind. Plain numbers; they add up over runs.
#pragma once

#include <cstdint>
#include <string>

namespace chronik::sim {

struct Counts {
  std::uint64_t runs = 0;
  std::uint64_t simulated_ms = 0;
  std::uint64_t node_ms = 0;  // of nodes that were up

  // Faults.
  std::uint64_t frames = 0;
  std::uint64_t frames_lost = 0;
  std::uint64_t partitions = 0;
  std::uint64_t one_way_cuts = 0;
  std::uint64_t resets = 0;
  std::uint64_t kills = 0;
  std::uint64_t power_cuts = 0;
  std::uint64_t cuts_in_work = 0;  // of them, between two operations of the disk
  std::uint64_t cuts_in_start = 0;
  std::uint64_t lost_syncs = 0;
  std::uint64_t stalls = 0;
  std::uint64_t full_disks = 0;
  std::uint64_t flips = 0;
  std::uint64_t wipes = 0;
  std::uint64_t pauses = 0;
  std::uint64_t skews = 0;
  std::uint64_t wall_jumps = 0;

  // What people did.
  std::uint64_t clean_stops = 0;
  std::uint64_t hand_overs = 0;
  std::uint64_t changes = 0;
  std::uint64_t readmissions = 0;  // of wiped nodes

  // What came of it.
  std::uint64_t elections = 0;
  std::uint64_t committed = 0;
  std::uint64_t proposals = 0;
  std::uint64_t made = 0;
  std::uint64_t not_made = 0;
  std::uint64_t unknown = 0;
  std::uint64_t reads = 0;
  std::uint64_t snapshots = 0;
  std::uint64_t snapshots_installed = 0;
  std::uint64_t logs_given_up = 0;  // damaged, and copied from other nodes
  std::uint64_t images_compared = 0;

  /// Several lines.
  std::string describe() const;
};

}  // namespace chronik::sim
