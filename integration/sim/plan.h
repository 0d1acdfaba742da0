// Plan: what a seed decides about one simulated cluster before its first event. Swarm testing:
// every run has some kinds of trouble and not others, since a run that has all of them gets
// nowhere. A value.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "raft/multi/test_cluster.h"

namespace chronik::sim {

using raft::NodeId;

struct Plan {
  explicit Plan(std::uint64_t seed);
  std::string describe() const;

  std::uint64_t seed;
  int voters = 3;  // nodes 1 to `voters` found the cluster
  int pool = 3;    // nodes that may ever belong to it
  milliseconds trouble{30'000};
  milliseconds trouble_interval{400};  // about one trial of each kind of trouble
  milliseconds client_interval{150};   // about one proposal or read

  raft::testing::NetworkFaults network;
  bool partitions = false;
  bool one_way_cuts = false;
  bool resets = false;  // connections end, and are made again

  bool kills = false;
  bool power_cuts = false;
  bool cuts_in_work = false;  // the power goes between two operations of the disk, starts included
  bool clean_stops = false;
  bool pauses = false;

  milliseconds disk_delay_max{2};
  bool stalls = false;       // an operation takes seconds now and then
  bool full_disks = false;   // for some seconds
  bool lost_syncs = false;   // a sync fails, once, and its pages are lost
  bool flips = false;        // bits of the files of one node
  int journal_logs_min = 0;  // wal::JournalOptions::logs_min; 0: nodes have no journal
  bool syncs_all = false;    // files behind the journal by one call
  bool wipes = false;        // a directory is deleted; the node comes back as a learner

  bool skew = false;        // clocks run at different rates
  bool wall_jumps = false;  // of the clock that stamps entries

  bool changes = false;     // of the membership
  bool hand_overs = false;  // of the leadership
  bool rests = false;       // of groups in which nothing happens
  bool forgets = false;     // entries that were just written, so that they are read from files
  bool tells_commit_late = false;  // to followers, with heartbeats

  std::uint64_t segment_bytes = 16u << 20;
  std::uint64_t snapshot_log_bytes_min = 4u << 20;
  milliseconds propose_timeout{5'000};

  // Partitions of three replicas on nodes that found the cluster, with producers and consumers.
  int replicated = 0;
  int producers = 0;  // of each partition
  int consumers = 0;
  milliseconds produce_interval{100};  // about one look of a client at what it can do
  milliseconds request_timeout{1'500};
  std::uint64_t client_loses_one_in = 0;  // messages, and with one the rest of its connection
  std::uint64_t partition_segment_bytes = 16u << 20;
  std::uint64_t retention_bytes = 0;  // 0: everything is kept
  bool compacts = false;              // the partitions' logs
  int min_insync_replicas = 1;
  bool new_epochs = false;  // idempotent producers give batches up and begin anew
  bool deletions = false;   // of records, by clients
  bool moves = false;       // of replicas, to other nodes
};

}  // namespace chronik::sim
