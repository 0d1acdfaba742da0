// Placement: on which brokers new partitions go. The first replicas of a topic's partitions go
// round the brokers, beginning anywhere, so that topics of one partition spread as well; the others
// of a partition are the brokers that come next, in an order in which racks alternate. No rack gets
// a second replica of a partition while another one has none, and so on (KIP-36). Brokers that
// cannot be reached come last: they get a replica only where there are not enough others, and get
// it when they are back. So the loss of a node does not stop topics from being made.
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
  bool reachable = true;  // as this node sees it, now
  bool fenced = false;    // said by who leads the metadata
};

/// Those that may get partitions, by id: all that are registered; this one is among them in any
/// case, and can be reached.
std::vector<PlacementBroker> brokers_for_placement(const Broker& broker);

/// Whether `replicas` (ids) of a new partition can have a leader: most of them are not fenced. What
/// only this node cannot reach counts: it may be the one that is cut off, and then the metadata
/// say so, when the partition is proposed.
bool can_elect(std::span<const PlacementBroker> brokers, std::span<const BrokerId> replicas);
/// The same for as many replicas as `factor` says, wherever they would be placed.
bool can_elect(std::span<const PlacementBroker> brokers, std::size_t factor);

/// Null: it is none of them.
const PlacementBroker* find_broker(std::span<const PlacementBroker> brokers, BrokerId id);

/// Of the replicas of a partition, for its event; empty with one replica, which has no group.
std::vector<Uuid> directories_of(std::span<const PlacementBroker> brokers,
                                 std::span<const BrokerId> replicas);

class Placement {
 public:
  /// At least one broker that can be reached.
  Placement(std::span<const PlacementBroker> brokers, Random& random);

  /// The replicas of the next partition, the one that leads first in front: it can be reached.
  /// Precondition: factor <= number of brokers.
  std::vector<BrokerId> next(std::size_t factor);

 private:
  struct Place {
    BrokerId broker = -1;
    std::size_t rack = 0;
    bool reachable = true;
  };
  std::vector<Place> order_;  // those that can be reached first
  std::size_t reachable_ = 0;
  std::size_t racks_ = 0;
  std::size_t next_ = 0;
};

}  // namespace chronik::broker
