#include "broker/api/placement.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/check.h"
#include "broker/runtime/metadata_view.h"

namespace chronik::broker {

std::vector<PlacementBroker> brokers_for_placement(const Broker& broker) {
  const MetadataView& view = *broker.metadata;
  const metadata::Image& image = *view.image();
  std::vector<PlacementBroker> brokers{
      {broker.node.id, broker.node.directory_id, broker.node.rack}};
  for (const auto& [id, registered] : image.brokers()) {
    if (id == broker.node.id) continue;
    const bool fenced = image.is_fenced(id);
    const bool reachable = !fenced && !view.is_absent(id);
    brokers.push_back({id, registered->directory_id, registered->rack, reachable, fenced});
  }
  std::ranges::sort(brokers, {}, &PlacementBroker::id);
  return brokers;
}

bool can_elect(std::span<const PlacementBroker> brokers, std::span<const BrokerId> replicas) {
  const auto serving = std::ranges::count_if(replicas, [&](BrokerId id) {
    const PlacementBroker* broker = find_broker(brokers, id);
    return broker != nullptr && !broker->fenced;
  });
  return static_cast<std::size_t>(serving) > replicas.size() / 2;
}

bool can_elect(std::span<const PlacementBroker> brokers, std::size_t factor) {
  const auto fenced = std::ranges::count_if(brokers, &PlacementBroker::fenced);
  return brokers.size() - static_cast<std::size_t>(fenced) > factor / 2;
}

const PlacementBroker* find_broker(std::span<const PlacementBroker> brokers, BrokerId id) {
  const auto found = std::ranges::find(brokers, id, &PlacementBroker::id);
  return found == brokers.end() ? nullptr : &*found;
}

std::vector<Uuid> directories_of(std::span<const PlacementBroker> brokers,
                                 std::span<const BrokerId> replicas) {
  std::vector<Uuid> directories;
  if (replicas.size() <= 1) return directories;
  for (const BrokerId replica : replicas) {
    const PlacementBroker* broker = find_broker(brokers, replica);
    CHECK(broker != nullptr);
    directories.push_back(broker->directory);
  }
  return directories;
}

Placement::Placement(std::span<const PlacementBroker> brokers, Random& random) {
  std::map<std::string, std::vector<const PlacementBroker*>> racks;
  for (const PlacementBroker& broker : brokers) {
    racks[broker.rack.value_or("")].push_back(&broker);
  }
  for (std::size_t round = 0; order_.size() < brokers.size(); ++round) {
    std::size_t number = 0;
    for (const auto& [rack, members] : racks) {
      if (round < members.size()) {
        order_.push_back({members[round]->id, number, members[round]->reachable});
      }
      ++number;
    }
  }
  racks_ = racks.size();
  const auto others = std::stable_partition(order_.begin(), order_.end(),
                                            [](const Place& place) { return place.reachable; });
  reachable_ = static_cast<std::size_t>(others - order_.begin());
  CHECK(reachable_ > 0);
  next_ = random.next() % reachable_;
}

std::vector<BrokerId> Placement::next(std::size_t factor) {
  CHECK(factor <= order_.size());
  std::vector<Place> left(order_.begin(), order_.end());
  const auto first = left.begin() + static_cast<std::ptrdiff_t>(next_++ % reachable_);
  std::rotate(left.begin(), first, left.begin() + static_cast<std::ptrdiff_t>(reachable_));
  std::vector<std::size_t> in_rack(racks_, 0);
  std::vector<BrokerId> replicas;
  while (replicas.size() < factor) {
    // Of those that can be reached, if there are any, the first one whose rack has the fewest.
    const auto chosen = std::ranges::min_element(left, {}, [&](const Place& place) {
      return std::pair(!place.reachable, in_rack[place.rack]);
    });
    replicas.push_back(chosen->broker);
    ++in_rack[chosen->rack];
    left.erase(chosen);
  }
  return replicas;
}

}  // namespace chronik::broker
