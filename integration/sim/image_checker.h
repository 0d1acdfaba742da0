// ImageChecker: what the state machines of a simulated cluster have to come to: a model applies
// what is committed, once, and every image of every node must be the model's of the same index.
// Owned by the Simulation.
#pragma once

#include <memory>
#include <vector>

#include "base/random.h"
#include "integration/sim/log_checker.h"
#include "integration/sim/verdict.h"
#include "metadata/state_machine.h"

namespace chronik::sim {

class ImageChecker {
 public:
  /// Of `seed` depends which images are compared whole.
  ImageChecker(Verdict& verdict, std::uint64_t seed);

  void on_commit(const raft::Entry& entry);

  enum class How {
    sampled,  // counts always, the whole of it now and then
    whole,
  };
  void check(NodeId id, const std::shared_ptr<const metadata::Image>& image, How how);

  /// What apply makes of the entry. Precondition: it is committed, and not of Raft's own.
  const metadata::ApplyResults& results(Index index) const {
    return states_[static_cast<std::size_t>(index)].results;
  }
  std::uint64_t compared() const { return compared_; }

 private:
  struct State {
    std::shared_ptr<const metadata::Image> image;
    metadata::ApplyResults results;
    std::uint64_t hash = 0;  // 0: not computed yet
  };

  Verdict& verdict_;
  Random random_;
  metadata::MetadataStateMachine machine_;
  std::vector<State> states_;  // by the index of the entry that led there
  std::uint64_t compared_ = 0;
};

}  // namespace chronik::sim
