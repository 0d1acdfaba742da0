#include "broker/partition/shard_storage.h"

#include <utility>

namespace chronik::broker {

ShardStorage::ShardStorage(Shard& shard, Disk& disk, wal::IoExecutor& io, wal::SpaceGuard* space,
                           std::size_t open_files_max)
    : shard_(shard),
      environment_(disk, open_files_max),
      io_(io),
      group_(environment_, io),
      tick_(shard.timers(), [this] {
        group_.tick(shard_.now());
        arm_tick();
      }) {
  environment_.space = space;
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
