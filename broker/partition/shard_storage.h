// ShardStorage: what all logs of one shard share: the open files, the disk thread, the group
// commit, and the timer that drives its periodic work.
//
// One per shard; made, used and destroyed on it.
#pragma once

#include <memory>

#include "broker/runtime/future.h"
#include "broker/runtime/shard.h"
#include "broker/runtime/timer.h"
#include "wal/group_commit.h"
#include "wal/io_executor.h"
#include "wal/log_environment.h"

namespace chronik::broker {

/// What a shard's logs have beside the disk; outlives them.
struct StoragePlace {
  wal::SpaceGuard* space = nullptr;          // nullptr: appends are never refused
  wal::Journal* journal = nullptr;           // nullptr: none
  wal::SyncedStart* synced_start = nullptr;  // nullptr: nothing that is found is known as durable
  wal::IoExecutor* behind = nullptr;         // GroupCommitOptions::behind
  std::size_t open_files_max = 2048;
};

class ShardStorage {
 public:
  /// All arguments outlive the object.
  ShardStorage(Shard& shard, Disk& disk, wal::IoExecutor& io, StoragePlace place = {});
  ShardStorage(const ShardStorage&) = delete;
  ShardStorage& operator=(const ShardStorage&) = delete;

  wal::LogEnvironment& environment() { return environment_; }
  wal::IoExecutor& io() { return io_; }
  wal::GroupCommit& group() { return group_; }

  /// Sees to it that the group's periodic work is done in time; called after flushes, when there
  /// may be new work.
  void arm_tick();
  /// Makes everything durable and checkpoints it, so that the next start reads nothing. Once;
  /// nothing is appended afterwards.
  Future<void> stop();

 private:
  wal::GroupCommitOptions group_options(const StoragePlace& place);
  void hurry_tick();

  Shard& shard_;
  wal::LogEnvironment environment_;
  wal::IoExecutor& io_;
  wal::GroupCommit group_;
  bool stopping_ = false;
  Timer tick_;
};

}  // namespace chronik::broker
