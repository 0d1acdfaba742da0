// Connections: which other nodes each node of a cluster is connected with, by what its log says.
// For those who must not make a second fault before the first one is over.
#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <string>

#include "integration/harness/cluster_processes.h"

namespace chronik::integration {

class Connections {
 public:
  explicit Connections(ClusterProcesses& cluster) : cluster_(cluster) {}

  /// The node's process has ended: what its log said until now counts no more.
  void forget(int node);
  /// Whether each node is connected with all others.
  bool complete();

 private:
  struct View {
    std::size_t read = 0;  // bytes of the log
    std::set<std::string> connected;
  };
  std::string unread(int node);

  ClusterProcesses& cluster_;
  std::map<int, View> views_;  // by node
};

}  // namespace chronik::integration
