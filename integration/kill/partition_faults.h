// PartitionFaults: what happens to the nodes of partition_rounds, and what ends it. Each fault
// leaves a majority of the voters that can go on, and nothing that was acknowledged may be touched
// by any.
#pragma once

#include <string>
#include <vector>

#include "base/random.h"
#include "integration/harness/cluster_processes.h"
#include "integration/harness/node_disks.h"
#include "integration/harness/node_network.h"
#include "integration/kill/connections.h"
#include "integration/kill/load.h"

namespace chronik::integration {

class PartitionFaults {
 public:
  /// `network` and `disks` may be missing where no fault needs them.
  PartitionFaults(ClusterProcesses& cluster, Connections& connections, NodeNetwork* network,
                  Random& random, Problems& problems);

  /// All that there are: kill, pause, stop, cut, one-way, full, wipe, two (one soon after the
  /// other), both (at the same time, of which one at most is a voter).
  static const std::vector<std::string>& kinds();
  static bool needs_network(const std::string& kind);
  static bool needs_disks(const std::string& kind) { return kind == "full"; }
  /// Whether all partitions go on while it lasts, those of the node included. The leader on a full
  /// disk stays, and refuses what comes.
  static bool goes_on(const std::string& kind) { return kind != "full"; }

  /// `kind` is neither "two" nor "both", which are made of others.
  void inflict(const std::string& kind, int node);
  /// Afterwards the node runs and is reached again, and may be behind.
  void undo(const std::string& kind, int node);
  /// Of one that another may follow at once, or go with: no vote is lost by it.
  std::string one_of_two();

 private:
  int nodes() const { return cluster_.count(); }
  int other(int id, int step) const { return (id - 1 + step) % nodes() + 1; }
  void cut(int node);
  void lose_one_way(int node);
  void wipe(int node);

  ClusterProcesses& cluster_;
  Connections& connections_;
  NodeNetwork* const network_;
  Random& random_;
  Problems& problems_;
};

}  // namespace chronik::integration
