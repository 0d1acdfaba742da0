// What a node can tell of a partition's replicas: what its leader has said; before that, those that
// are connected, as far as this node sees.
#pragma once

#include <algorithm>
#include <vector>

#include "broker/runtime/metadata_view.h"
#include "metadata/image.h"

namespace chronik::broker {

inline bool is_gone(const MetadataView& view, BrokerId replica) {
  return view.is_absent(replica) || view.image()->is_fenced(replica);
}

/// In the order of the replicas, as Kafka names them. A replica alone is always in sync.
inline std::vector<BrokerId> in_sync_replicas(const MetadataView& view,
                                              const metadata::Partition& partition,
                                              const PartitionLeader& leader) {
  if (!partition.has_group()) return partition.replicas;
  std::vector<BrokerId> in_sync;
  if (!leader.in_sync.empty()) {
    const auto place = [&](BrokerId replica) {
      return std::ranges::find(partition.replicas, replica) - partition.replicas.begin();
    };
    in_sync = leader.in_sync;
    std::ranges::stable_sort(in_sync, {}, place);
    return in_sync;
  }
  for (const BrokerId replica : partition.replicas) {
    if (replica == leader.leader || !is_gone(view, replica)) in_sync.push_back(replica);
  }
  return in_sync;
}

inline std::vector<BrokerId> offline_replicas(const MetadataView& view,
                                              const metadata::Partition& partition) {
  std::vector<BrokerId> offline;
  if (!partition.has_group()) return offline;
  for (const BrokerId replica : partition.replicas) {
    if (is_gone(view, replica)) offline.push_back(replica);
  }
  return offline;
}

}  // namespace chronik::broker
