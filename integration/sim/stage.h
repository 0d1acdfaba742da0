// Stage: what producers, consumers and the network between them and the nodes see of the
// simulation they play in. Implemented by Simulation, which outlives them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/clock.h"
#include "integration/sim/node.h"

namespace chronik::sim {

class Stage {
 public:
  virtual ~Stage() = default;
  virtual SteadyTime now() const = 0;
  virtual void at(milliseconds delay, std::function<void()> action) = 0;
  virtual Node& node(NodeId id) = 0;
  /// Another number for each process of the node, and while it has none.
  virtual std::uint64_t life(NodeId id) = 0;
  /// Something was asked of the node: the checkers look, and it may end.
  virtual void happened(NodeId id) = 0;
  virtual void trace(const std::string& line) const = 0;
};

}  // namespace chronik::sim
