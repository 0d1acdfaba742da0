// ClusterSettings: which nodes make up the cluster and how they reach each other, from the settings
// cluster.* and node.role. There are none in standalone, and then nothing of a cluster is started.
//
// The list is the same on every node. Its voters are the voting members when the cluster is formed;
// members added or removed later are in the metadata log, not here. A plain value; pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/types.h"

namespace chronik::broker {

struct ConfigLayers;
struct Listener;
struct SettingProblem;

/// One entry of cluster.nodes: id@host:port, or id@host:port/observer.
struct ClusterNode {
  BrokerId id = 0;
  std::string host;
  std::uint16_t port = 0;
  bool observer = false;  // gets all metadata, never votes

  bool operator==(const ClusterNode&) const = default;
};

/// Where the cluster port is bound.
struct ClusterListener {
  std::string host;  // empty: every interface
  std::uint16_t port = 0;

  bool operator==(const ClusterListener&) const = default;
};

struct ClusterSettings {
  std::vector<ClusterNode> nodes;  // by id; this node is among them
  std::vector<ClusterListener> listeners;
  bool observer = false;  // this node
  milliseconds election_timeout{0};
  milliseconds heartbeat_interval{0};
  milliseconds propose_timeout{0};
  std::int32_t frame_bytes_max = 0;
  std::int64_t queue_bytes_max = 0;  // of each other node

  bool operator==(const ClusterSettings&) const = default;
};

/// Nothing in standalone. `clients` are the listeners for clients, whose ports it may not take.
std::variant<std::optional<ClusterSettings>, SettingProblem> read_cluster(
    const ConfigLayers& layers, BrokerId node_id, std::span<const Listener> clients);

/// What works and is still not what one usually wants, a line each.
std::vector<std::string> cluster_warnings(const ClusterSettings& settings);

/// The node's number from the end of its host name, as orchestrators give them: chronik-2 is 2, n3
/// is 3. Errors: invalid_argument: there is none, or the name is one that a container engine drew
/// at random.
Result<BrokerId> node_id_of_host(std::string_view host_name);

}  // namespace chronik::broker
