#include "broker/api/placement.h"

#include <algorithm>

namespace chronik::broker {

std::vector<BrokerId> brokers_for_placement(const metadata::Image& image, BrokerId self) {
  std::vector<BrokerId> brokers;
  for (const auto& [id, registered] : image.brokers()) brokers.push_back(id);
  if (!image.broker(self)) {
    brokers.insert(std::lower_bound(brokers.begin(), brokers.end(), self), self);
  }
  return brokers;
}

}  // namespace chronik::broker
