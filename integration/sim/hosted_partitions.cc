#include "integration/sim/hosted_partitions.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <utility>

namespace chronik::sim {

namespace {

constexpr milliseconds tend_interval{500};  // as broker/partition/partitions.cc
constexpr std::uint64_t retention_every = 8;
constexpr int slices_at_once = 4;

}  // namespace

Result<void> HostedPartitions::open(wal::LogEnvironment& environment,
                                    wal::GroupCommit& group_commit,
                                    raft::RaftReplicaManager& manager, const Uuid& directory,
                                    std::string_view root) {
  for (const PlacedPartition& placed : placement_.partitions) {
    const std::vector<BrokerId>& replicas = placed.members.replicas;
    if (std::ranges::find(replicas, node_) == replicas.end()) continue;
    broker::ReplicaSeat seat;
    seat.groups = &manager;
    seat.founders = broker::founders_of(placed.members, node_, directory);
    seat.preferred = replicas.front() == node_;
    seat.lag_max = milliseconds(3'000);
    seat.away_max = milliseconds(2'000);
    const int index = placed.identity.partition;
    TRY_ASSIGN(partitions_[index],
               broker::Partition::open_replica({environment, group_commit, scratch_},
                                               fmt::format("{}/t-{}", root, index), placed.identity,
                                               placement_.settings, std::move(seat)));
  }
  return {};
}

broker::Partition* HostedPartitions::find(int partition) {
  const auto found = partitions_.find(partition);
  return found == partitions_.end() ? nullptr : found->second.get();
}

std::optional<SteadyTime> HostedPartitions::next_tend() const {
  if (partitions_.empty()) return std::nullopt;
  return tended_ + tend_interval;
}

bool HostedPartitions::tend(SteadyTime local, Timestamp wall) {
  if (partitions_.empty() || local < tended_ + tend_interval) return false;
  tended_ = local;
  ++rounds_;
  for (auto& [index, partition] : partitions_) {
    partition->tend(placement_.partitions.at(static_cast<std::size_t>(index)).members, local);
    partition->end_waits(local);
    if (rounds_ % retention_every == 0) partition->apply_retention(wall);
    compact(index, *partition, wall);
  }
  return true;
}

/// As LogCleaner does on a thread of its own: a few slices at a time.
void HostedPartitions::compact(int index, broker::Partition& partition, Timestamp wall) {
  const auto running = compactions_.find(index);
  if (running == compactions_.end()) {
    const wal::Cleanable cleanable = partition.cleanable(wall);
    if (!wal::wants_compaction(cleanable, partition.log().settings())) return;
    wal::CompactionLimits limits;
    limits.slice_bytes = 1'000;
    compactions_[index] = partition.begin_compaction(limits, wall, rounds_);
    return;
  }
  for (int slice = 0; slice < slices_at_once; ++slice) {
    if (running->second.step()) continue;
    const auto ended = partition.end_compaction(std::move(running->second));
    if (ended) ++compacted_;
    compactions_.erase(running);
    return;
  }
}

}  // namespace chronik::sim
