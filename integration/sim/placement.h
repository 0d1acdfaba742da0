// Placement: the replicated partitions of a simulated cluster and the nodes they were placed on, as
// a cluster's metadata would say it. A value; Moves change it.
#pragma once

#include <memory>
#include <vector>

#include "broker/partition/partition.h"
#include "integration/sim/plan.h"

namespace chronik::sim {

struct PlacedPartition {
  wal::LogIdentity identity;
  metadata::Partition members;  // first with the directories that found the group
};

struct Placement {
  std::vector<PlacedPartition> partitions;
  std::shared_ptr<const broker::PartitionSettings> settings;
};

/// `directories`: of nodes 1 to voters, in order.
Placement place(const Plan& plan, const std::vector<Uuid>& directories);

/// Who founds the partition's group.
raft::Membership founders_of(const PlacedPartition& partition);

}  // namespace chronik::sim
