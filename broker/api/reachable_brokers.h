// The brokers as a client can reach them: through the listener by which it came.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/types.h"
#include "broker/api/context.h"

namespace chronik::broker {

struct ReachableBroker {
  BrokerId id = 0;
  std::string host;
  std::uint16_t port = 0;
  std::optional<std::string> rack;
  bool fenced = false;
};

/// All on the listener, also those that are fenced, in the order of their ids; this node is always
/// among them, and not fenced.
std::vector<ReachableBroker> registered_brokers(RequestContext& context);
/// Those that are not fenced.
std::vector<ReachableBroker> reachable_brokers(RequestContext& context);
/// Those that Metadata lists: also who was fenced a moment ago. librdkafka ends what it has for a
/// broker that is no longer listed, and a partition that the same answer sends to another one then
/// waits for up to a second.
std::vector<ReachableBroker> listed_brokers(RequestContext& context);
/// Whom clients shall send administration to: who leads the metadata, or, where he is not among
/// reachable_brokers(), this node, which passes it on. Clients (librdkafka) would wait for a broker
/// that is not in the list, and not ask again.
BrokerId controller(RequestContext& context);
/// Nothing: it is not registered, or not on this listener.
std::optional<ReachableBroker> reachable_broker(RequestContext& context, BrokerId id);

}  // namespace chronik::broker
