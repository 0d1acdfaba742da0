// Round: the logs that one round of a GroupCommit makes durable together, and the checkpoints that
// follow it. Owned by the GroupCommit; its disk work runs on the IoExecutor, all else on the shard.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/file.h"
#include "wal/checkpoint.h"
#include "wal/disk_space.h"
#include "wal/flush_job.h"
#include "wal/journal.h"
#include "wal/partition_log.h"

namespace chronik::wal {

inline constexpr std::size_t no_width_limit = std::numeric_limits<std::size_t>::max();

struct FlushItem {
  PartitionLog* log = nullptr;  // nullptr: removed meanwhile
  FlushJob job;
};

struct CheckpointItem {
  PartitionLog* log = nullptr;
  CheckpointJob job;
};

/// One call for the file system, instead of one for each file.
struct SyncAtOnce {
  FileSystemSync* file_system = nullptr;  // nullptr: each file is synced for itself
  std::uint64_t bytes = 0;
  std::optional<std::chrono::microseconds> took{};  // once it was called

  Result<void> run() {
    TRY_ASSIGN(took, file_system->sync());
    return {};
  }
};

/// The logs of one group commit, and the checkpoints that follow it.
struct Round {
  std::vector<FlushItem> flushes;
  std::vector<CheckpointItem> checkpoints;
  std::vector<CheckpointItem> unsynced_checkpoints;  // of a CheckpointPass
  /// Logs that are tried at once: fewer than all when descriptors are short.
  std::size_t width = no_width_limit;
  /// Where the journal takes the small appends; and whether it has them.
  std::optional<FramePlace> frame;
  std::uint64_t frame_bytes = 0;
  bool frame_synced = false;
  /// Where it takes none of them.
  SyncAtOnce at_once;

  template <class Item>
  std::span<Item> tried(std::vector<Item>& items) const {
    return std::span<Item>(items).first(std::min(width, items.size()));
  }
  void flush(Disk& disk, SpaceGuard* space) {
    const std::span<FlushItem> now = tried(flushes);
    for (FlushItem& item : now) {
      item.job.write();
      if (item.job.failed()) return;
      if (now.size() > 1) item.job.start_writeback();
    }
    sync(disk, now, at_once, frame ? frame->file : nullptr, write_frame(now));
    if (space != nullptr) space->refresh();
  }
  Result<void> write_frame(std::span<FlushItem> items) {
    frame_synced = false;
    if (!frame) return {};
    JournalFrameBuilder builder;
    for (const FlushItem& item : items) item.job.add_to(builder);
    if (builder.empty() && !frame->empty) {
      frame.reset();
      return {};
    }
    frame->begun->store(frame->number.lsn, std::memory_order_release);
    return builder.write(*frame->file, frame->position, frame->number);
  }
  void save(Disk& disk) {
    const std::span<CheckpointItem> now = tried(checkpoints);
    for (CheckpointItem& item : now) {
      item.job.write();
      if (item.job.failed()) return;
    }
    SyncAtOnce each;
    if (!sync(disk, now, each)) return;
    for (CheckpointItem& item : now) {
      item.job.publish();
      if (item.job.failed()) return;
    }
    sync(disk, now, each);
  }
  /// One batch for all; false when it failed.
  template <class Items>
  bool sync(Disk& disk, const Items& items, SyncAtOnce& files,
            std::shared_ptr<File> journal = nullptr, Result<void> result = {}) {
    SyncBatch batch;
    for (auto& item : items) item.job.add_syncs(batch);
    const bool has_frame = frame.has_value() && journal != nullptr;
    if (has_frame) batch.files.push_back(std::move(journal));
    // New logs share their parent.
    std::sort(batch.directories.begin(), batch.directories.end());
    batch.directories.erase(std::unique(batch.directories.begin(), batch.directories.end()),
                            batch.directories.end());
    if (result && files.file_system != nullptr && !batch.files.empty()) {
      result = files.run();
      batch.files.clear();
    }
    if (result) result = disk.sync_all(batch);
    frame_synced = has_frame && result.has_value();
    for (auto& item : items) {
      item.job.synced(result);
      if (item.job.failed()) return false;
    }
    return true;
  }
  void forget(const PartitionLog& log) {
    for (FlushItem& item : flushes) {
      if (item.log == &log) item.log = nullptr;
    }
    for (CheckpointItem& item : checkpoints) {
      if (item.log == &log) item.log = nullptr;
    }
    for (CheckpointItem& item : unsynced_checkpoints) {
      if (item.log == &log) item.log = nullptr;
    }
  }
};

/// Who was removed since its job was begun takes the job along. Behind the renaming of a deleted
/// partition's directory it would write where nothing is any more, or another topic's log.
template <class Items>
void drop_removed(Items& items) {
  std::erase_if(items, [](const auto& item) { return item.log == nullptr; });
}

template <class Items>
bool any_failed(const Items& items) {
  return std::any_of(items.begin(), items.end(),
                     [](const auto& item) { return item.job.failed(); });
}
template <class Items>
bool any_starved(const Items& items) {
  return std::any_of(items.begin(), items.end(),
                     [](const auto& item) { return item.job.starved(); });
}

template <class Items>
bool any_disk_full(const Items& items) {
  return std::any_of(items.begin(), items.end(),
                     [](const auto& item) { return item.job.disk_full(); });
}

/// Takes what has come to its end out of the round; the round itself when that is all of it. What
/// is left is still wanted.
template <class Item>
std::shared_ptr<Round> take_finished(const std::shared_ptr<Round>& round,
                                     std::vector<Item> Round::*member) {
  std::vector<Item>& items = (*round).*member;
  const std::size_t tried = round->tried(items).size();
  if (tried == items.size() && !any_starved(items)) return round;
  auto finished = std::make_shared<Round>();
  std::vector<Item> left;
  for (std::size_t i = 0; i < items.size(); ++i) {
    Item& item = items[i];
    if (i < tried && !item.job.starved()) {
      ((*finished).*member).push_back(std::move(item));
    } else if (item.log != nullptr) {
      left.push_back(std::move(item));
    }
  }
  items = std::move(left);
  return finished;
}

}  // namespace chronik::wal
