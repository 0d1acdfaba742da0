// The way from settings and data directory to a cluster port, and from there into a cluster.
#pragma once

#include <functional>
#include <vector>

#include "broker/net/cluster_formation.h"
#include "broker/net/peer_transport.h"
#include "broker/settings/cluster.h"

namespace chronik::broker {

/// `stamp` is that of the data directory, written before, so that its directory id lasts; where it
/// has no cluster id, `given` (chronik.cluster.id) counts, or none is known yet. `incarnation` is
/// new at each start.
PeerOptions peer_options(const ClusterSettings& settings, const wal::DirectoryStamp& stamp,
                         const std::optional<Uuid>& given, const Uuid& incarnation);

/// Those of cluster.nodes that vote.
std::vector<NodeId> voters_of(const ClusterSettings& settings);

/// Lets a node that belongs to no cluster yet found or join one: give it what the transport tells
/// of nodes that come, change and go. Lives on the transport's shard.
class ClusterJoin {
 public:
  using Outcome = ClusterFormation::Outcome;
  /// Called once, within a turn: `outcome` is to be made durable, and then told to the transport
  /// (set_identity); until then this node takes part in nothing.
  using Decided = std::function<void(const Outcome& outcome)>;

  ClusterJoin(PeerTransport& transport, std::vector<NodeId> voters, Decided decided);

  /// Within a turn; a node that is its whole cluster decides here.
  void start() { step(); }
  void on_node_up(NodeId node) { on_node_changed(node); }
  void on_node_changed(NodeId node);
  void on_node_down(NodeId node);
  /// What it waits for, for a log line; empty when it is decided.
  const std::string& waits_for() const { return waits_for_; }

 private:
  void step();

  PeerTransport& transport_;
  ClusterFormation formation_;
  const Decided decided_;
  std::string waits_for_;
  bool done_ = false;
};

}  // namespace chronik::broker
