// NodeNetwork: a network of its own for the nodes of a cluster, which can be cut between any two of
// them, in both directions or in one. Each node lives in a network namespace, and this process is
// the router between them; a rule of its routing drops the packets of a cut, silently, as a broken
// switch does. This process and its clients reach all nodes, whatever is cut.
//
// Nothing is left behind, however the process ends: the namespaces are held by its descriptors and
// by its brokers, which die with it.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace chronik::integration {

class NodeNetwork {
 public:
  /// Takes this process into a network of its own, so it comes before the first thread and the
  /// first socket. Errors: unsupported, with the reason why this machine cannot; loopback works
  /// then as before.
  static Result<std::unique_ptr<NodeNetwork>> open(int nodes);
  NodeNetwork(const NodeNetwork&) = delete;
  NodeNetwork& operator=(const NodeNetwork&) = delete;
  ~NodeNetwork();

  /// The address of node 1, 2, ...
  std::string host(int node) const;
  /// What starts a program in the node's place.
  std::vector<std::string> wrapper(int node) const;

  /// What `from` sends to `to` is lost from now on.
  void cut(int from, int to);
  /// Of all cuts.
  void heal();

 private:
  NodeNetwork() = default;
  Result<void> prepare(int nodes);
  Result<void> add_node(int node);
  /// Runs the lines as one batch of ip(8), in this process's network or in a node's.
  Result<void> run_ip(const std::string& lines, int in_node = 0) const;
  std::string place_of(int node) const;

  std::vector<int> namespaces_;  // descriptors, by node
  std::vector<std::pair<int, int>> cuts_;
};

}  // namespace chronik::integration
