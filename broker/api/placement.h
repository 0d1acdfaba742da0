// Placement: on which brokers new partitions go. Until partitions are replicated each has one
// replica; those of a topic go round the brokers, beginning anywhere, so that topics of one
// partition spread as well.
//
// Pure, but for the beginning, which is drawn from the generator that is handed in.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/random.h"
#include "base/types.h"
#include "broker/broker.h"

namespace chronik::broker {

/// Those that may get partitions, by id: all that are registered and can be reached, and this one
/// in any case.
std::vector<BrokerId> brokers_for_placement(const Broker& broker);

class Placement {
 public:
  /// `brokers` outlives it; at least one.
  Placement(std::span<const BrokerId> brokers, Random& random)
      : brokers_(brokers), next_(random.next() % brokers.size()) {}

  /// The broker of the next partition.
  BrokerId next() { return brokers_[next_++ % brokers_.size()]; }

 private:
  std::span<const BrokerId> brokers_;
  std::size_t next_;
};

}  // namespace chronik::broker
