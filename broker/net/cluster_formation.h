// ClusterFormation: how nodes with empty data directories become a cluster, once, without a leader
// and without anybody choosing an id: what a node that belongs to no cluster yet should do, from
// what the others say of themselves. Pure.
//
// A cluster is founded by the voters of cluster.nodes all together: every one of them is there, has
// an empty directory and sees the same founders, which are pairs of node and directory id. They
// vote from the start. The cluster id, where chronik.cluster.id does not give it, is made from the
// founders; directories get random ids, so what is founded again after a wipe is another cluster,
// and what is left of the old one is refused.
//
// Who comes with an empty directory to nodes that are a cluster already is a founder only when his
// directory is among the founders (he was interrupted). Else his directory was lost or is new: he
// is a newcomer, and does not vote before he has caught up.
//
// That two different sets of founders never both become a cluster: a node that is founded never
// proposes anything again, and each founder's proposal is asked for. When a directory is wiped
// while they agree, a majority of the earlier set was not founded then, so nothing was decided
// under it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "broker/net/peer_handshake.h"

namespace chronik::broker {

/// The id of the cluster that these found. Precondition: sorted.
Uuid founding_id(const std::vector<Founder>& founders);

class ClusterFormation {
 public:
  /// `own` says who this node is: it belongs to no cluster, but may know the id of the one it is
  /// to be of. `voters` are the nodes that vote by cluster.nodes, without observers.
  ClusterFormation(PeerHello own, std::vector<NodeId> voters);

  /// `hello` is what a node says that is connected; the last one counts.
  void heard(const PeerHello& hello);
  /// The node is not connected any more: what it said does not count.
  void lost(NodeId node);

  /// To be told to all others, whenever it changed: the founders as this node sees them, or zero
  /// while some are missing.
  Uuid proposal() const;

  struct Outcome {
    enum class Kind {
      waiting,   // `waits_for` says for what
      founder,   // of `founders`: votes
      newcomer,  // does not vote before it has caught up
    };
    Kind kind = Kind::waiting;
    Uuid cluster_id;
    std::vector<Founder> founders;
    std::string waits_for;
  };
  /// Whoever is not told to wait makes cluster id and founders durable (and, a newcomer, before
  /// them that it does not vote), and only then takes part in anything.
  Outcome outcome() const;

 private:
  /// All voters with their directories; nothing while one is missing.
  std::optional<std::vector<Founder>> founders() const;
  Uuid cluster_id_of(const std::vector<Founder>& founders) const;
  std::string missing() const;

  PeerHello own_;
  std::vector<NodeId> voters_;
  std::map<NodeId, PeerHello> heard_;
};

}  // namespace chronik::broker
