// Broker: the services that handlers use. Made and owned by Server (broker/server.h), which fills
// it before the first connection and outlives them all. The pointers are constant from then on;
// each service says on which shard it may be used.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/types.h"
#include "broker/runtime/shard.h"

namespace chronik::metadata {
class MetadataStore;
}

namespace chronik::broker {

class ApiTable;
class MetadataView;

/// Where clients reach this node through one listener.
struct AdvertisedListener {
  std::string name;  // of the listener, in upper case
  std::string host;
  std::uint16_t port = 0;
};

struct NodeInfo {
  BrokerId id = 1;
  std::string cluster_id;
  std::string rack;  // empty: none
  std::vector<AdvertisedListener> listeners;
};

struct Broker {
  const Clock* clock = nullptr;
  Shards* shards = nullptr;
  const ApiTable* apis = nullptr;
  NodeInfo node;
  /// Metadata as each shard sees it; any shard.
  MetadataView* metadata = nullptr;
};

}  // namespace chronik::broker
