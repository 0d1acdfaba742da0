#include "broker/api/reachable_brokers.h"

#include <algorithm>

#include "broker/broker.h"
#include "broker/runtime/metadata_view.h"

namespace chronik::broker {

namespace {

ReachableBroker this_broker(RequestContext& context) {
  const NodeInfo& node = context.broker().node;
  ReachableBroker self;
  self.id = node.id;
  self.rack = node.rack;
  for (const AdvertisedListener& listener : node.listeners) {
    if (listener.name != context.connection().listener) continue;
    // Nobody said how this node is reached, so the client's own way to it is the best we know.
    self.host = listener.host.empty() ? context.connection().local_host : listener.host;
    self.port = listener.port;
  }
  return self;
}

std::optional<ReachableBroker> other_broker(const metadata::BrokerRegistered& registered,
                                            bool fenced, const std::string& listener) {
  for (const auto& endpoint : registered.endpoints) {
    if (endpoint.name != listener) continue;
    return ReachableBroker{registered.broker_id, endpoint.host, endpoint.port, registered.rack,
                           fenced};
  }
  return std::nullopt;
}

}  // namespace

std::vector<ReachableBroker> registered_brokers(RequestContext& context) {
  std::vector<ReachableBroker> brokers{this_broker(context)};
  const BrokerId self = brokers.front().id;
  const metadata::Image& image = *context.broker().metadata->image();
  for (const auto& [id, registered] : image.brokers()) {
    if (id == self) continue;
    if (auto other =
            other_broker(*registered, image.is_fenced(id), context.connection().listener)) {
      brokers.push_back(std::move(*other));
    }
  }
  std::sort(brokers.begin(), brokers.end(),
            [](const ReachableBroker& a, const ReachableBroker& b) { return a.id < b.id; });
  return brokers;
}

std::vector<ReachableBroker> reachable_brokers(RequestContext& context) {
  std::vector<ReachableBroker> brokers = registered_brokers(context);
  std::erase_if(brokers, [](const ReachableBroker& broker) { return broker.fenced; });
  return brokers;
}

std::vector<ReachableBroker> listed_brokers(RequestContext& context) {
  std::vector<ReachableBroker> brokers = registered_brokers(context);
  const MetadataView& view = *context.broker().metadata;
  std::erase_if(brokers, [&](const ReachableBroker& broker) {
    return broker.fenced && !view.was_just_fenced(broker.id);
  });
  return brokers;
}

std::optional<ReachableBroker> reachable_broker(RequestContext& context, BrokerId id) {
  for (ReachableBroker& broker : reachable_brokers(context)) {
    if (broker.id == id) return std::move(broker);
  }
  return std::nullopt;
}

BrokerId controller(RequestContext& context) {
  const BrokerId leader = context.broker().metadata->leadership().leader;
  return reachable_broker(context, leader) ? leader : context.broker().node.id;
}

}  // namespace chronik::broker
