#include "integration/sim/counts.h"

#include <spdlog/fmt/fmt.h>

namespace chronik::sim {

std::string Counts::describe() const {
  std::string text = fmt::format("{} runs, {:.1f} simulated hours of clusters ({:.1f} of nodes)\n",
                                 runs, static_cast<double>(simulated_ms) / 3'600'000,
                                 static_cast<double>(node_ms) / 3'600'000);
  text += fmt::format("network: {} frames, {} lost, {} partitions, {} one-way cuts, {} resets\n",
                      frames, frames_lost, partitions, one_way_cuts, resets);
  text += fmt::format(
      "nodes: {} kills, {} power cuts ({} between two operations of the disk, {} in a start), {} "
      "pauses, {} skewed clocks, {} jumps of the wall clock\n",
      kills, power_cuts, cuts_in_work, cuts_in_start, pauses, skews, wall_jumps);
  text += fmt::format(
      "disks: {} lost syncs, {} stalls, {} full, {} flipped bits ({} logs given up), {} wiped\n",
      lost_syncs, stalls, full_disks, flips, logs_given_up, wipes);
  text += fmt::format(
      "people: {} clean stops, {} hand-overs, {} changes of membership, {} wiped nodes admitted "
      "again\n",
      clean_stops, hand_overs, changes, readmissions);
  text += fmt::format(
      "outcome: {} elections, {} entries committed, {} proposals ({} acknowledged, {} refused, {} "
      "unknown), {} reads, {} snapshots written, {} installed, {} images compared\n",
      elections, committed, proposals, made, not_made, unknown, reads, snapshots,
      snapshots_installed, images_compared);
  text += fmt::format(
      "partitions: {} run, {} elections, {} entries committed, {} compactions, {} snapshots "
      "installed; {} batches acknowledged by all, {} by leaders, {} duplicates answered; refused: "
      "{} not leader, {} few "
      "in sync, {} out of order, {} other; {} leaders lost under a batch, {} requests timed out\n",
      partitions_run, partition_elections, partition_entries, compactions, replicas_installed,
      batches_acknowledged, leaders_acknowledged, duplicates_answered, refused_not_leader,
      refused_few_in_sync, refused_order, refused_other, leaders_lost, produce_timeouts);
  text += fmt::format("readers: {} reads answered, {} by followers, {} refused\n", partition_reads,
                      follower_reads, partition_reads_refused);
  text += fmt::format(
      "clients: {} new epochs of producers, {} deletions of records acknowledged, {} refused, {} "
      "not known to a leader that came later\n",
      new_epochs, deletions, deletions_refused, deletions_unknown);
  text += fmt::format("replicas: {} moves begun, {} done, {} taken back or changed on the way\n",
                      moves, moves_done, moves_changed);
  return text;
}

}  // namespace chronik::sim
