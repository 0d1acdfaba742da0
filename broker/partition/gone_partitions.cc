#include "broker/partition/gone_partitions.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace chronik::broker {

Result<void> set_aside_gone(const std::vector<wal::FoundPartition>& kept,
                            const metadata::Image& image, BrokerId node,
                            wal::LogDirectory& directory, raft::LeftStates& left,
                            wal::FoundPartitions& all) {
  for (const wal::FoundPartition& partition : kept) {
    const metadata::Topic* topic = image.topic(partition.identity.topic_id);
    const PartitionId index = partition.identity.partition;
    const bool has_moved = topic != nullptr && topic->has_partition(index);
    if (has_moved) {
      const std::vector<BrokerId>& replicas =
          topic->partitions[static_cast<std::size_t>(index)].replicas;
      if (std::ranges::find(replicas, node) != replicas.end()) continue;
    }
    log_info("removing a partition that went while the broker started",
             {{"directory", partition.directory}});
    if (has_moved) {
      TRY(set_aside_moved(partition, directory, left, all));
      continue;
    }
    TRY_ASSIGN(std::string gone, directory.set_aside(partition));
    all.deleted.push_back(std::move(gone));
  }
  return {};
}

Result<void> set_aside_moved(const wal::FoundPartition& partition, wal::LogDirectory& directory,
                             raft::LeftStates& left, wal::FoundPartitions& all) {
  const wal::LogIdentity& identity = partition.identity;
  TRY(left.keep_of(partition.directory, {identity.topic_id, identity.partition}));
  TRY_ASSIGN(std::string aside, directory.set_aside(partition));
  all.deleted.push_back(std::move(aside));
  return {};
}

Result<void> find_left_of_deleted(const raft::LeftStates& left, const metadata::Image& image,
                                  wal::FoundPartitions& all) {
  TRY_ASSIGN(std::vector<raft::LeftStates::Kept> kept, left.list());
  for (raft::LeftStates::Kept& each : kept) {
    if (image.topic(each.group.topic_id) != nullptr) continue;
    all.deleted.push_back(std::move(each.directory));
  }
  return {};
}

}  // namespace chronik::broker
