#include "broker/api/placement.h"

#include <algorithm>
#include <map>

#include "base/check.h"
#include "broker/runtime/metadata_view.h"

namespace chronik::broker {

std::vector<PlacementBroker> brokers_for_placement(const Broker& broker) {
  const MetadataView& view = *broker.metadata;
  const metadata::Image& image = *view.image();
  std::vector<PlacementBroker> brokers{
      {broker.node.id, broker.node.directory_id, broker.node.rack}};
  for (const auto& [id, registered] : image.brokers()) {
    if (id != broker.node.id && !image.is_fenced(id) && !view.is_absent(id)) {
      brokers.push_back({id, registered->directory_id, registered->rack});
    }
  }
  std::ranges::sort(brokers, {}, &PlacementBroker::id);
  return brokers;
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

Placement::Placement(std::span<const PlacementBroker> brokers, Random& random)
    : next_(random.next() % brokers.size()) {
  std::map<std::string, std::vector<BrokerId>> racks;
  for (const PlacementBroker& broker : brokers) {
    racks[broker.rack.value_or("")].push_back(broker.id);
  }
  for (std::size_t round = 0; order_.size() < brokers.size(); ++round) {
    std::size_t number = 0;
    for (const auto& [rack, ids] : racks) {
      if (round < ids.size()) order_.push_back({ids[round], number});
      ++number;
    }
  }
  racks_ = racks.size();
}

std::vector<BrokerId> Placement::next(std::size_t factor) {
  CHECK(factor <= order_.size());
  std::vector<Place> left(order_.begin(), order_.end());
  const auto first = left.begin() + static_cast<std::ptrdiff_t>(next_++ % left.size());
  std::rotate(left.begin(), first, left.end());
  std::vector<std::size_t> in_rack(racks_, 0);
  std::vector<BrokerId> replicas;
  while (replicas.size() < factor) {
    // The first of those whose rack has the fewest.
    const auto chosen =
        std::ranges::min_element(left, {}, [&](const Place& place) { return in_rack[place.rack]; });
    replicas.push_back(chosen->broker);
    ++in_rack[chosen->rack];
    left.erase(chosen);
  }
  return replicas;
}

}  // namespace chronik::broker
