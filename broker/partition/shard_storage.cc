#include "broker/partition/shard_storage.h"

#include <utility>

namespace chronik::broker {

namespace {

constexpr std::uint64_t unsaved_bytes_with_journal = 768u << 20;

}  // namespace

ShardStorage::ShardStorage(Shard& shard, Disk& disk, wal::IoExecutor& io, StoragePlace place)
    : shard_(shard),
      environment_(disk, place.open_files_max),
      io_(io),
      group_(environment_, io, group_options(place)),
      tick_(shard.timers(), [this] {
        group_.tick(shard_.now());
        arm_tick();
      }) {
  environment_.space = place.space;
  environment_.journal = place.journal;
  environment_.synced_start = place.synced_start;
}

wal::GroupCommitOptions ShardStorage::group_options(const StoragePlace& place) {
  wal::GroupCommitOptions options;
  options.behind = place.behind;
  // Over many partitions that would be a checkpoint of each for every few hundred KiB: four syncs,
  // where the journal has saved all the others.
  if (place.journal != nullptr) options.unsaved_total_bytes_max = unsaved_bytes_with_journal;
  options.on_tick_wanted = [this] { hurry_tick(); };
  return options;
}

/// What waits for descriptors or space is tried again sooner than a tick is due for anything else.
void ShardStorage::hurry_tick() {
  const std::optional<SteadyTime> next = group_.next_tick();
  if (stopping_ || !next || (tick_.armed() && tick_.deadline() <= *next)) return;
  tick_.arm_at(*next);
}

void ShardStorage::arm_tick() {
  if (stopping_ || tick_.armed()) return;
  if (const std::optional<SteadyTime> next = group_.next_tick()) tick_.arm_at(*next);
}

Future<void> ShardStorage::stop() {
  stopping_ = true;
  tick_.cancel();
  auto done = std::make_shared<Promise<void>>();
  Future<void> future = done->future();
  group_.stop([done] { done->set(); });
  return future;
}

}  // namespace chronik::broker
