#include "broker/api/placement.h"

#include <algorithm>

#include "broker/runtime/metadata_view.h"

namespace chronik::broker {

std::vector<BrokerId> brokers_for_placement(const Broker& broker) {
  const MetadataView& view = *broker.metadata;
  const metadata::Image& image = *view.image();
  std::vector<BrokerId> brokers{broker.node.id};
  for (const auto& [id, registered] : image.brokers()) {
    if (id != broker.node.id && !image.is_fenced(id) && !view.is_absent(id)) {
      brokers.push_back(id);
    }
  }
  std::sort(brokers.begin(), brokers.end());
  return brokers;
}

}  // namespace chronik::broker
