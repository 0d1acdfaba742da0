#include "broker/net/cluster_port.h"

#include <utility>

namespace chronik::broker {

PeerOptions peer_options(const ClusterSettings& settings, const wal::DirectoryStamp& stamp,
                         const std::optional<Uuid>& given, const Uuid& incarnation) {
  PeerOptions options;
  options.self.node = stamp.node_id;
  options.self.cluster_id = Uuid::parse(stamp.cluster_id).value_or(given.value_or(Uuid()));
  options.self.directory = stamp.directory_id;
  options.self.incarnation = incarnation;
  options.self.observer = settings.observer;
  options.self.frame_bytes_max = settings.frame_bytes_max;
  options.self.founders = stamp.founders;
  if (stamp.founders.empty() && !stamp.cluster_id.empty()) {
    // It was alone until now: the first node of its cluster, and the only one that has its data.
    options.self.founders = {{stamp.node_id, stamp.directory_id}};
  }
  for (const ClusterNode& node : settings.nodes) {
    if (node.id != stamp.node_id) options.others.push_back({node.id, node.host, node.port});
  }
  for (const ClusterListener& listener : settings.listeners) {
    options.listeners.push_back(Listener{"CLUSTER", listener.host, listener.port});
  }
  options.heartbeat_interval = settings.heartbeat_interval;
  options.silence_max = settings.election_timeout;
  options.handshake_max = settings.election_timeout;
  options.queued_bytes_max = static_cast<std::uint64_t>(settings.queue_bytes_max);
  return options;
}

std::vector<NodeId> voters_of(const ClusterSettings& settings) {
  std::vector<NodeId> voters;
  for (const ClusterNode& node : settings.nodes) {
    if (!node.observer) voters.push_back(node.id);
  }
  return voters;
}

ClusterJoin::ClusterJoin(PeerTransport& transport, std::vector<NodeId> voters, Decided decided)
    : transport_(transport),
      formation_(transport.self(), std::move(voters)),
      decided_(std::move(decided)) {}

void ClusterJoin::on_node_changed(NodeId node) {
  if (const auto hello = transport_.hello_of(node)) formation_.heard(*hello);
  step();
}

void ClusterJoin::on_node_down(NodeId node) {
  formation_.lost(node);
  step();
}

void ClusterJoin::step() {
  if (done_) return;
  const Outcome outcome = formation_.outcome();
  waits_for_ = outcome.waits_for;
  if (outcome.kind != Outcome::Kind::waiting) {
    done_ = true;
    decided_(outcome);
    return;
  }
  const PeerHello& self = transport_.self();
  const Uuid proposal = formation_.proposal();
  if (proposal != self.proposal) transport_.set_identity(self.cluster_id, self.founders, proposal);
}

}  // namespace chronik::broker
