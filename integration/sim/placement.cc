#include "integration/sim/placement.h"

#include <limits>

namespace chronik::sim {

namespace {

std::shared_ptr<const broker::PartitionSettings> settings_of(const Plan& plan) {
  broker::PartitionSettings settings;
  wal::LogSettings log;
  log.segment_bytes = plan.partition_segment_bytes;
  log.index_interval_bytes = 256;
  log.retention_ms = {};
  if (plan.retention_bytes > 0) log.retention_bytes = plan.retention_bytes;
  if (plan.compacts) {
    log.compact = settings.produce.compacted = true;
    log.delete_old = plan.retention_bytes > 0;
    log.min_cleanable_dirty_ratio = 0;
  }
  settings.log = std::make_shared<const wal::LogSettings>(log);
  // Producers stamp with their own clocks, and the nodes' jump.
  settings.produce.timestamp_after_max_ms = std::numeric_limits<std::int64_t>::max();
  settings.min_insync_replicas = plan.min_insync_replicas;
  return std::make_shared<const broker::PartitionSettings>(std::move(settings));
}

}  // namespace

Placement place(const Plan& plan, const std::vector<Uuid>& directories) {
  constexpr int replicas = 3;
  Placement placement;
  placement.settings = settings_of(plan);
  for (int index = 0; index < plan.replicated; ++index) {
    PlacedPartition placed;
    placed.identity = {"t", index, Uuid::from_random(plan.seed, 0x70)};
    for (int i = 0; i < replicas; ++i) {
      const auto at = static_cast<std::size_t>((index + i) % plan.voters);
      placed.members.replicas.push_back(static_cast<NodeId>(at) + 1);
      placed.members.directories.push_back(directories.at(at));
    }
    placed.members.leader = placed.members.replicas.front();
    placement.partitions.push_back(std::move(placed));
  }
  return placement;
}

raft::Membership founders_of(const PlacedPartition& partition) {
  return broker::founders_of(partition.members, partition.members.replicas.front(),
                             partition.members.directories.front());
}

}  // namespace chronik::sim
