// Traffic: the replicated partitions of a simulated cluster as seen from outside: their producers
// and consumers, the connections between those and the nodes, and the checkers of what they are
// promised. Owned by the Simulation, which is its Stage.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "integration/sim/client_network.h"
#include "integration/sim/consumer.h"
#include "integration/sim/deleter.h"
#include "integration/sim/moves.h"
#include "integration/sim/partition_checker.h"
#include "integration/sim/partition_service.h"
#include "integration/sim/producer.h"
#include "raft/multi/wire.h"

namespace chronik::sim {

class Traffic {
 public:
  Traffic(Stage& stage, const Plan& plan, Placement& placement, Counts& counts, Verdict& verdict,
          PlantedBug bug);

  void begin();
  /// All is well from here on: what was begun must come to an end.
  void finish();
  bool at_rest() const;
  /// Whether every partition that can lose a node has a leader that serves it.
  bool all_are_led() const;
  /// At rest: every replica has everything.
  void check_whole();
  std::string describe() const;
  void gather(Counts& counts) const;

  /// The node begins a life.
  void on_start(Node& node);
  /// Its process is about to go.
  void on_end(NodeId id, bool others_hear);
  void on_wipe(NodeId id);
  /// A message of a partition's group leaves the node.
  void on_send(const raft::GroupMessage& message);
  void after_event(Node& node);
  /// Whether no partition would lose what was acknowledged with one more disk.
  bool may_lose_a_disk() const;

 private:
  struct Told {
    NodeId leader = raft::no_node;
    std::uint64_t life = 0;  // of the leader
    NodeId follower = raft::no_node;
    int partition = 0;
    Offset begin = 0;
  };

  bool has_come_to_rest(const PartitionChecker& checker) const;
  void tell_begins(Node& node);
  void hear_begin(const Told& told);

  Stage& stage_;
  const Plan& plan_;
  PartitionService::Checkers checkers_;  // by partition
  ClientNetwork network_;
  PartitionService service_;
  std::vector<std::unique_ptr<Producer>> producers_;
  std::vector<std::unique_ptr<Consumer>> consumers_;
  std::vector<std::unique_ptr<Deleter>> deleters_;
  Moves moves_;
};

}  // namespace chronik::sim
