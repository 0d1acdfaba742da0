// Broker: the services that handlers use. Made and owned by Server (broker/server.h), which fills
// it before the first connection and outlives them all. The pointers are constant from then on;
// each service says on which shard it may be used.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "base/types.h"
#include "base/uuid.h"
#include "broker/partition/shard_data.h"
#include "broker/runtime/shard.h"

namespace chronik::broker {

class ApiTable;
class ConfigChanges;
class GroupCoordinator;
class LiveSettings;
class MetadataView;
class OtherNodes;
class ProducerIds;
class Quorum;

/// Where clients reach this node through one listener.
struct AdvertisedListener {
  std::string name;  // of the listener, in upper case
  std::string host;  // empty: the address by which the client came
  std::uint16_t port = 0;
};

struct NodeInfo {
  BrokerId id = 1;
  std::string cluster_id;
  Uuid directory_id;
  std::optional<std::string> rack;
  std::vector<AdvertisedListener> listeners;
};

struct Broker {
  const Clock* clock = nullptr;
  Shards* shards = nullptr;
  const ApiTable* apis = nullptr;
  /// The settings as they are now; any shard.
  const LiveSettings* settings = nullptr;
  NodeInfo node;
  /// Metadata as each shard sees it; any shard.
  MetadataView* metadata = nullptr;
  /// Changes configs, one request after the other; any shard.
  ConfigChanges* config_changes = nullptr;

  Disk* disk = nullptr;
  std::string data_directory;

  /// Each on its shard; by shard id.
  std::vector<std::unique_ptr<ShardData>> shard_data;
  ShardData& data(const Shard& shard) { return *shard_data[shard.id()]; }

  // On the metadata shard, the first one.
  ProducerIds* producer_ids = nullptr;
  GroupCoordinator* groups = nullptr;
  Quorum* quorum = nullptr;     // null without a cluster
  OtherNodes* nodes = nullptr;  // the same

  /// The other nodes lead from here on, and this one stops; any shard.
  std::atomic<bool> leaving = false;
};

}  // namespace chronik::broker
