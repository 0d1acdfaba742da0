#include "broker/api/reachable_brokers.h"

#include "broker/broker.h"

namespace chronik::broker {

std::vector<ReachableBroker> reachable_brokers(RequestContext& context) {
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
  return {std::move(self)};
}

}  // namespace chronik::broker
