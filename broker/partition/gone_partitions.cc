#include "broker/partition/gone_partitions.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace chronik::broker {

Result<void> set_aside_gone(const std::vector<wal::FoundPartition>& kept,
                            const metadata::Image& image, BrokerId node,
                            wal::LogDirectory& directory, wal::FoundPartitions& all) {
  for (const wal::FoundPartition& partition : kept) {
    const metadata::Topic* topic = image.topic(partition.identity.topic_id);
    const PartitionId index = partition.identity.partition;
    if (topic != nullptr && topic->has_partition(index)) {
      const std::vector<BrokerId>& replicas =
          topic->partitions[static_cast<std::size_t>(index)].replicas;
      if (std::ranges::find(replicas, node) != replicas.end()) continue;
    }
    log_info("removing a partition that went while the broker started",
             {{"directory", partition.directory}});
    TRY_ASSIGN(std::string gone, directory.set_aside(partition));
    all.deleted.push_back(std::move(gone));
  }
  return {};
}

}  // namespace chronik::broker
