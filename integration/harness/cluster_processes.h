// ClusterProcesses: broker processes that are one cluster, each on an address of its own; three of
// them, unless a test asks for more.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "integration/harness/broker_process.h"
#include "integration/harness/node_network.h"

namespace chronik::integration {

/// To wait for something that comes soon on any machine.
inline constexpr std::chrono::seconds usual_limit{30};

class ClusterProcesses {
 public:
  static constexpr int size = 3;  // unless more are asked for

  /// Starts all three and returns when a client finds all of them through each of them. A failure
  /// of the test when that does not come.
  explicit ClusterProcesses(const Settings& settings = {});
  /// `nodes` with addresses (those of `network`, if there is one) and directories, the last
  /// `observers` of them as observers, but not started.
  struct NotStarted {};
  ClusterProcesses(NotStarted, const Settings& settings, const NodeNetwork* network = nullptr,
                   int observers = 0, int nodes = size);
  int count() const { return static_cast<int>(nodes_.size()); }
  /// How many of them vote on the metadata; these are the first ones.
  int voters() const { return count() - observers_; }
  /// Starts all that do not run, without waiting for an answer.
  void launch();
  /// For bootstrap.servers: all nodes.
  std::string bootstrap() const;

  /// By id, from 1.
  BrokerProcess& node(int id) { return *nodes_[static_cast<std::size_t>(id - 1)]; }
  const BrokerProcess& node(int id) const { return *nodes_[static_cast<std::size_t>(id - 1)]; }
  /// Who leads the metadata, as node `asked` says; waits for one that is not `not_this`. -1: none
  /// in time.
  int leader(int asked, int not_this = -1);
  /// Any node but `id`.
  static int other_than(int id) { return id % size + 1; }
  /// Waits until clients of `asked` are told of `count` brokers.
  bool knows(int asked, int count, std::chrono::milliseconds limit = usual_limit);

 private:
  const int observers_;
  std::vector<std::unique_ptr<BrokerProcess>> nodes_;
};

/// Asks again and again until it is so; false when it is not in time.
bool eventually(const std::function<bool()>& is_so, std::chrono::milliseconds limit = usual_limit);

}  // namespace chronik::integration
