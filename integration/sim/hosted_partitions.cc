#include "integration/sim/hosted_partitions.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <utility>

#include "wal/file_removal.h"
#include "wal/format.h"

namespace chronik::sim {

namespace {

constexpr milliseconds tend_interval{500};  // as broker/partition/partitions.cc
constexpr std::uint64_t retention_every = 8;
constexpr int slices_at_once = 4;

raft::GroupId group_of(const PlacedPartition& placed) {
  return {placed.identity.topic_id, placed.identity.partition};
}

}  // namespace

Result<void> HostedPartitions::open(HostedOn on, const Uuid& directory, std::string_view root) {
  on_.emplace(on);
  directory_ = directory;
  root_ = root;
  left_.emplace(on_->environment.disk, root_);
  seen_.clear();
  TRY(remove_leftovers());
  for (const PlacedPartition& placed : placement_.partitions) {
    seen_.push_back(placed.members);
    if (has_place(placed.identity.partition)) TRY(open_seat(placed.identity.partition));
  }
  return {};
}

/// As Server does with what it finds of partitions that were reassigned to other nodes.
Result<void> HostedPartitions::remove_leftovers() {
  Disk& disk = on_->environment.disk;
  for (const PlacedPartition& placed : placement_.partitions) {
    const std::vector<BrokerId>& replicas = placed.members.replicas;
    if (std::ranges::find(replicas, node_) != replicas.end()) continue;
    TRY_ASSIGN(const bool left, disk.exists(path_of(placed.identity.partition)));
    if (!left) continue;
    TRY(left_->keep_of(path_of(placed.identity.partition), group_of(placed)));
    TRY_ASSIGN(const std::string aside,
               wal::unused_aside(disk, root_, placed.identity.topic_id, placed.identity.partition));
    TRY(disk.rename(path_of(placed.identity.partition), aside));
    TRY(disk.sync_directory(root_));
  }
  TRY_ASSIGN(const std::vector<DirectoryEntry> entries, disk.list(root_));
  for (const DirectoryEntry& entry : entries) {
    if (!entry.is_directory || !entry.name.ends_with(wal::deleted_suffix)) continue;
    on_->group_commit.remove_directory(root_ + "/" + entry.name);
  }
  return {};
}

std::string HostedPartitions::directory_of(std::string_view root, int partition) {
  return fmt::format("{}/t-{}", root, partition);
}

std::string HostedPartitions::path_of(int index) const { return directory_of(root_, index); }

bool HostedPartitions::has_place(int index) const {
  const std::vector<BrokerId>& replicas = seen_.at(static_cast<std::size_t>(index)).replicas;
  return std::ranges::find(replicas, node_) != replicas.end();
}

Result<void> HostedPartitions::open_seat(int index) {
  const auto at = static_cast<std::size_t>(index);
  const PlacedPartition& placed = placement_.partitions[at];
  const metadata::Partition& members = seen_[at];
  broker::ReplicaSeat seat;
  seat.groups = &on_->manager;
  seat.left = &*left_;
  seat.founders = broker::founders_of(members, node_, directory_);
  seat.preferred = members.replicas.front() == node_;
  seat.lag_max = milliseconds(3'000);
  seat.away_max = milliseconds(2'000);
  TRY_ASSIGN(partitions_[index],
             broker::Partition::open_replica({on_->environment, on_->group_commit, scratch_},
                                             path_of(index), placed.identity, placement_.settings,
                                             std::move(seat)));
  return {};
}

void HostedPartitions::follow(int index) {
  const auto at = static_cast<std::size_t>(index);
  seen_.at(at) = placement_.partitions[at].members;
  if (!has_place(index)) return leave(index);
  // A directory that has not left its place yet, or a full disk: tried again.
  if (find(index) != nullptr || leaving_.contains(index)) return;
  const Result<void> opened = open_seat(index);
  if (opened) return;
  partitions_.erase(index);
  if (opened.error().code != Errc::no_space) on_->environment.on_fatal(opened.error());
}

/// As Partitions::leave() does.
void HostedPartitions::leave(int index) {
  const auto found = partitions_.find(index);
  if (found == partitions_.end()) return;
  const raft::GroupId group = group_of(placement_.partitions[static_cast<std::size_t>(index)]);
  const raft::HardState last = on_->manager.find(group)->raft().hard_state();
  // The log refers to the partition's producer state until it is gone.
  std::shared_ptr<broker::Partition> partition(std::move(found->second));
  partitions_.erase(found);
  compactions_.erase(index);
  leaving_.insert(index);
  if (const Result<void> kept = left_->keep(group, last); !kept) {
    return on_->environment.on_fatal(kept.error());
  }
  on_->group_commit.destroy(partition->retire(),
                            [this, partition, index] { leaving_.erase(index); });
}

broker::Partition* HostedPartitions::find(int partition) {
  const auto found = partitions_.find(partition);
  return found == partitions_.end() ? nullptr : found->second.get();
}

std::optional<SteadyTime> HostedPartitions::next_tend() const {
  if (placement_.partitions.empty()) return std::nullopt;
  return tended_ + tend_interval;
}

bool HostedPartitions::tend(SteadyTime local, Timestamp wall) {
  if (placement_.partitions.empty() || local < tended_ + tend_interval) return false;
  tended_ = local;
  ++rounds_;
  for (std::size_t index = 0; index < seen_.size(); ++index) {
    if (has_place(static_cast<int>(index))) follow(static_cast<int>(index));
  }
  for (auto& [index, partition] : partitions_) {
    const metadata::Partition& members = seen_.at(static_cast<std::size_t>(index));
    partition->tend(members, local);
    partition->end_waits(local);
    if (members.is_reassigned() && partition->is_reassigned_to(members)) {
      reassigned_.emplace_back(index, members);
    }
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
