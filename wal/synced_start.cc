#include "wal/synced_start.h"

#include <chrono>
#include <optional>
#include <utility>

#include "base/log.h"

namespace chronik::wal {

namespace {

/// How long it took; nothing where it was not done.
std::optional<std::chrono::microseconds> sync_all(FileSystemSync& whole,
                                                  std::uint64_t unsynced_bytes_max) {
  if (whole.unsynced_bytes() > unsynced_bytes_max) return std::nullopt;
  const Result<std::chrono::microseconds> took = whole.sync_with_names();
  if (took) return *took;
  log_warn("the file system cannot be synced: each log is, when it is opened",
           {{"why", took.error().message}});
  return std::nullopt;
}

}  // namespace

std::unique_ptr<SyncedStart> SyncedStart::begin(FileSystemSync& whole,
                                                std::vector<std::string> partition_directories) {
  auto start = std::make_unique<SyncedStart>();
  const std::size_t partitions = partition_directories.size();
  if (partitions == 0) return start;
  const auto took = sync_all(whole, partitions * unsynced_bytes_max);
  if (!took) return start;
  for (std::string& directory : partition_directories) {
    start->directories_.insert(std::move(directory));
  }
  if (*took > std::chrono::seconds(1)) {
    log_info("the file system was synced before the logs are opened",
             {{"partitions", partitions},
              {"ms", std::chrono::duration_cast<std::chrono::milliseconds>(*took).count()}});
  }
  return start;
}

bool SyncedStart::take(const std::string& directory) {
  const std::lock_guard guard(mutex_);
  return directories_.erase(directory) != 0;
}

}  // namespace chronik::wal
