#include "broker/net/cluster_formation.h"

#include <fmt/core.h>
#include <xxhash.h>

#include <algorithm>

#include "base/coding.h"

namespace chronik::broker {

Uuid founding_id(const std::vector<Founder>& founders) {
  Writer writer;
  for (const Founder& founder : founders) {
    writer.i32(founder.node);
    writer.bytes(founder.directory.bytes);
  }
  const Bytes bytes = writer.take_bytes();
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return Uuid::from_random(hash.high64, hash.low64);
}

ClusterFormation::ClusterFormation(PeerHello own, std::vector<NodeId> voters)
    : own_(std::move(own)), voters_(std::move(voters)) {
  std::ranges::sort(voters_);
}

void ClusterFormation::heard(const PeerHello& hello) { heard_[hello.node] = hello; }

void ClusterFormation::lost(NodeId node) { heard_.erase(node); }

std::optional<std::vector<Founder>> ClusterFormation::founders() const {
  std::vector<Founder> all;
  for (const NodeId voter : voters_) {
    if (voter == own_.node) {
      all.push_back({voter, own_.directory});
      continue;
    }
    const auto found = heard_.find(voter);
    if (found == heard_.end() || !found->second.founders.empty()) return std::nullopt;
    all.push_back({voter, found->second.directory});
  }
  return all;
}

Uuid ClusterFormation::cluster_id_of(const std::vector<Founder>& founders) const {
  return own_.cluster_id.is_zero() ? founding_id(founders) : own_.cluster_id;
}

Uuid ClusterFormation::proposal() const {
  if (own_.observer) return {};
  const auto all = founders();
  return all ? founding_id(*all) : Uuid();
}

std::string ClusterFormation::missing() const {
  std::string names;
  for (const NodeId voter : voters_) {
    if (voter == own_.node || heard_.contains(voter)) continue;
    if (!names.empty()) names += ", ";
    names += std::to_string(voter);
  }
  return names;
}

ClusterFormation::Outcome ClusterFormation::outcome() const {
  Outcome outcome;
  for (const auto& [node, hello] : heard_) {
    if (hello.founders.empty()) continue;
    const Founder self{own_.node, own_.directory};
    outcome.kind = std::ranges::binary_search(hello.founders, self) ? Outcome::Kind::founder
                                                                    : Outcome::Kind::newcomer;
    outcome.cluster_id = hello.cluster_id;
    outcome.founders = hello.founders;
    return outcome;
  }
  const auto all = founders();
  if (!all) {
    outcome.waits_for = fmt::format("nodes {}: a cluster is founded by all its voters", missing());
    return outcome;
  }
  if (own_.observer) {
    outcome.waits_for = "the voters to found the cluster";
    return outcome;
  }
  const Uuid proposal = founding_id(*all);
  for (const auto& [node, hello] : heard_) {
    if (!std::ranges::binary_search(voters_, node)) continue;
    if (hello.cluster_id != own_.cluster_id) {
      outcome.waits_for = fmt::format(
          "node {}: chronik.cluster.id must be the same on all nodes, or on none", node);
      return outcome;
    }
    if (hello.proposal == proposal) continue;
    outcome.waits_for = fmt::format(
        "node {} to see the same voters: cluster.nodes must be the same list on all nodes", node);
    return outcome;
  }
  outcome.kind = Outcome::Kind::founder;
  outcome.cluster_id = cluster_id_of(*all);
  outcome.founders = *all;
  return outcome;
}

}  // namespace chronik::broker
