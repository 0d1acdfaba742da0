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

  // Of replicated partitions.
  std::uint64_t partitions_run = 0;
  std::uint64_t partition_elections = 0;
  std::uint64_t partition_entries = 0;     // committed
  std::uint64_t batches_acknowledged = 0;  // acks=all, at the producer
  std::uint64_t leaders_acknowledged = 0;  // acks=1
  std::uint64_t duplicates_answered = 0;
  std::uint64_t refused_not_leader = 0;
  std::uint64_t refused_few_in_sync = 0;  // or behind such a one, or where earlier ones may lack
  std::uint64_t refused_order = 0;        // out of order
  std::uint64_t refused_other = 0;
  std::uint64_t leaders_lost = 0;      // between an append and its answer
  std::uint64_t produce_timeouts = 0;  // of requests, at the producer
  std::uint64_t partition_reads = 0;   // that were answered
  std::uint64_t follower_reads = 0;    // of those
  std::uint64_t partition_reads_refused = 0;
  std::uint64_t new_epochs = 0;          // of producers
  std::uint64_t deletions = 0;           // of records, that were acknowledged
  std::uint64_t deletions_refused = 0;   // or not answered in time
  std::uint64_t deletions_unknown = 0;   // to a leader that nobody had told
  std::uint64_t replicas_installed = 0;  // a log's begin, from another node
  std::uint64_t compactions = 0;         // of partitions' logs

  std::uint64_t moves = 0;          // of replicas, that were begun
  std::uint64_t moves_changed = 0;  // taken back, or sent elsewhere, before they were done
  std::uint64_t moves_done = 0;

  /// Several lines.
  std::string describe() const;
};

}  // namespace chronik::sim
