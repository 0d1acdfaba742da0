#include "wal/file_removal.h"

#include "base/log.h"

namespace chronik::wal {

namespace {
constexpr std::uint64_t slice_bytes = 64u << 20;
}  // namespace

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
