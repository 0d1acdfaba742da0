#include "wal/file_removal.h"

#include <spdlog/fmt/fmt.h>

#include "base/log.h"
#include "wal/format.h"

namespace chronik::wal {

namespace {
constexpr std::uint64_t slice_bytes = 64u << 20;
}  // namespace

Result<std::string> unused_aside(Disk& disk, const std::string& parent, const Uuid& topic_id,
                                 PartitionId partition) {
  std::string aside = fmt::format("{}/{}", parent, deleted_directory_name(topic_id, partition));
  for (int n = 2;; ++n) {
    TRY_ASSIGN(const bool taken, disk.exists(aside));
    if (!taken) return aside;
    aside =
        fmt::format("{}/{}-{}-{}{}", parent, topic_id.to_string(), partition, n, deleted_suffix);
  }
}

bool FileRemoval::step(Disk& disk) {
  if (stack_.empty()) return true;
  const Result<void> done = work(disk);
  starved_ = !done && done.error().code == Errc::busy;
  if (!done && !starved_) {
    log_warn("files that are no longer needed stay until the next start",
             {{"why", done.error().message}});
    stack_.clear();
  }
  return stack_.empty();
}

Result<void> FileRemoval::work(Disk& disk) {
  const std::string path = stack_.back();
  const Result<std::vector<DirectoryEntry>> entries = disk.list(path);
  if (!entries && entries.error().code == Errc::busy) return entries.error();
  if (entries && !entries->empty()) {
    for (const DirectoryEntry& entry : *entries) stack_.push_back(path + "/" + entry.name);
    return {};
  }
  if (!entries) {
    const auto file = disk.open(path, OpenMode::read_write);
    if (!file && file.error().code == Errc::not_found) {
      stack_.pop_back();
      return {};
    }
    if (!file) return file.error();
    TRY_ASSIGN(const std::uint64_t size, (*file)->size());
    if (size > slice_bytes) return (*file)->truncate(size - slice_bytes);
  }
  TRY(disk.remove(path));
  stack_.pop_back();
  return {};
}

}  // namespace chronik::wal
