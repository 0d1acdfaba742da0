#include "wal/unsynced_files.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace chronik::wal {

void UnsyncedFiles::add(const std::string& path, std::uint64_t lsn) {
  const auto found = files_.try_emplace(path).first;
  std::uint64_t& from = found->second.from;
  if (from != 0 && from <= lsn) return;
  if (from != 0) forget(found->first, from);
  from = lsn;
  order_.emplace(lsn, &found->first);
}

std::optional<std::uint64_t> UnsyncedFiles::first() const {
  return order_.empty() ? std::nullopt : std::optional(order_.begin()->first);
}

std::vector<std::string> UnsyncedFiles::begin_sync(std::size_t count_max) {
  std::vector<std::string> paths;
  for (const auto& [lsn, path] : order_) {
    if (paths.size() >= count_max) break;
    Need& need = files_.find(*path)->second;
    if (need.syncing != 0) continue;
    need.syncing = std::exchange(need.from, 0);
    paths.push_back(*path);
  }
  return paths;
}

void UnsyncedFiles::end_sync(const std::vector<std::string>& paths, bool synced) {
  for (const std::string& path : paths) {
    const auto found = files_.find(path);
    CHECK(found != files_.end() && found->second.syncing != 0);
    Need& need = found->second;
    const std::uint64_t was = std::exchange(need.syncing, 0);
    if (synced) {
      forget(found->first, was);
    } else if (need.from == 0) {
      need.from = was;
    } else {
      // The older of the two is needed from.
      forget(found->first, std::max(need.from, was));
      need.from = std::min(need.from, was);
    }
    if (need.from == 0) files_.erase(found);
  }
}

void UnsyncedFiles::forget(const std::string& path, std::uint64_t lsn) {
  const auto [begin, end] = order_.equal_range(lsn);
  const auto at =
      std::find_if(begin, end, [&](const auto& entry) { return entry.second == &path; });
  CHECK(at != end);
  order_.erase(at);
}

}  // namespace chronik::wal
