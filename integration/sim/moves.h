// Moves: people who have the replicas of partitions of a simulated cluster moved, made more or
// fewer, and who take that back (AlterPartitionReassignments), and what the metadata then say,
// which nodes learn one by one. Owned by the Traffic; the Placement it changes is the Simulation's.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/random.h"
#include "integration/sim/counts.h"
#include "integration/sim/placement.h"
#include "integration/sim/stage.h"

namespace chronik::sim {

class Moves {
 public:
  Moves(Stage& stage, const Plan& plan, Placement& placement, Counts& counts, std::uint64_t seed)
      : stage_(stage), plan_(plan), placement_(placement), counts_(counts), random_(seed) {}

  /// `may_rely_on`: whether the partition loses nothing with which of these nodes has lost its
  /// disk.
  void begin(std::function<bool(int partition, const std::vector<BrokerId>& nodes)> may_rely_on);
  /// They ask for nothing more; what was begun must come to an end.
  void finish() { finishing_ = true; }
  bool at_rest() const;
  /// The leader of the partition says that its group is what `members` ask for.
  void on_reassigned(int partition, const metadata::Partition& members);

 private:
  void look_again();
  void look(int partition);
  void ask(int partition, const std::vector<BrokerId>& wanted);
  std::vector<BrokerId> some_nodes();
  void tell(int partition);
  void tell(int partition, NodeId id, milliseconds delay);

  Stage& stage_;
  const Plan& plan_;
  Placement& placement_;
  Counts& counts_;
  Random random_;
  std::function<bool(int, const std::vector<BrokerId>&)> may_rely_on_;
  bool finishing_ = false;
};

}  // namespace chronik::sim
