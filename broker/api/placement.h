// Placement: on which brokers new partitions go. The first replicas of a topic's partitions go
// round the brokers, beginning anywhere, so that topics of one partition spread as well; the others
// of a partition are the brokers that come next, in an order in which racks alternate. No rack gets
// a second replica of a partition while another one has none, and so on (KIP-36).
//
// Pure, but for the beginning, which is drawn from the generator that is handed in.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/types.h"
#include "base/uuid.h"
#include "broker/broker.h"

namespace chronik::broker {

struct PlacementBroker {
  BrokerId id = -1;
  Uuid directory{};
  std::optional<std::string> rack{};
};

/// Those that may get partitions, by id: all that are registered and can be reached, and this one
/// in any case.
std::vector<PlacementBroker> brokers_for_placement(const Broker& broker);

/// Null: it is none of them.
const PlacementBroker* find_broker(std::span<const PlacementBroker> brokers, BrokerId id);

/// Of the replicas of a partition, for its event; empty with one replica, which has no group.
std::vector<Uuid> directories_of(std::span<const PlacementBroker> brokers,
                                 std::span<const BrokerId> replicas);

class Placement {
 public:
  /// At least one broker.
  Placement(std::span<const PlacementBroker> brokers, Random& random);

  /// The replicas of the next partition, the one that leads first in front. Precondition: factor
  /// <= number of brokers.
  std::vector<BrokerId> next(std::size_t factor);

 private:
  struct Place {
    BrokerId broker = -1;
    std::size_t rack = 0;
  };
  std::vector<Place> order_;
  std::size_t racks_ = 0;
  std::size_t next_;
};

}  // namespace chronik::broker
