// What the nodes of a cluster say of a replicated topic: who leads its partitions, where their
// replicas are, and whether all have what they should. For those who must not make a second fault
// before the first one is over. Any thread, but for passes().
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "integration/harness/cluster_processes.h"

namespace chronik::integration {

class ClusterView {
 public:
  ClusterView(ClusterProcesses& cluster, std::string topic)
      : cluster_(cluster), topic_(std::move(topic)) {}

  /// By partition, as the first node says that answers; -1: nobody.
  std::vector<int> leaders();
  /// The same of the nodes that have a replica, the preferred leader first.
  std::vector<std::vector<std::int32_t>> replicas();
  /// Empty when every node says of every partition that it has a leader, all replicas are in sync,
  /// and none moves, and when all voters of the metadata are there; else what is missing.
  std::string missing();
  /// A change of metadata through the node, after which it has all that was acknowledged before.
  bool passes(int node);

 private:
  std::string missing_by(int node);

  ClusterProcesses& cluster_;
  const std::string topic_;
  std::int64_t change_ = 1'000'000'000'000;
};

}  // namespace chronik::integration
