// What AddRaftVoter and RemoveRaftVoter (KIP-853) have in common.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "broker/api/error_map.h"
#include "broker/broker.h"
#include "protocol/errors.h"

namespace chronik::broker {

/// Why the change cannot be asked of this cluster at all.
inline std::optional<std::pair<protocol::ErrorCode, std::string>> refuse_voter_change(
    const Broker& broker, const std::optional<std::string>& cluster_id, BrokerId voter) {
  using protocol::ErrorCode;
  if (cluster_id && *cluster_id != broker.node.cluster_id) {
    return std::pair(ErrorCode::inconsistent_cluster_id,
                     "this is cluster " + broker.node.cluster_id + ", not " + *cluster_id);
  }
  if (voter < 0) return std::pair(ErrorCode::invalid_request, "the id of a node is 0 or more");
  if (broker.quorum == nullptr) {
    return std::pair(ErrorCode::invalid_request,
                     "this broker is alone: name the nodes of its cluster in cluster.nodes first");
  }
  return std::nullopt;
}

inline protocol::ErrorCode voter_change_error(const Error& error) {
  using protocol::ErrorCode;
  switch (error.code) {
    case Errc::already_exists:
      return ErrorCode::duplicate_voter;
    case Errc::not_found:
      return ErrorCode::voter_not_found;
    case Errc::not_leader:
      return ErrorCode::leader_not_available;
    default:
      return to_error_code(error.code);
  }
}

}  // namespace chronik::broker
