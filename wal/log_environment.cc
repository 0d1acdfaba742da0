#include "wal/log_environment.h"

#include <cstdlib>
#include <memory>
#include <vector>

#include "base/log.h"
#include "wal/flush_work.h"

namespace chronik::wal {

void end_process(const Error& error) {
  log_error("the disk failed: nothing more can be acknowledged, the process ends",
            {{"error", error.message}, {"exit_code", exit_disk_failure}});
  std::_Exit(exit_disk_failure);
}

DirectorySync LogEnvironment::sync_of(const std::string& directory) const {
  const bool done = synced_start != nullptr && synced_start->take(directory);
  return done ? DirectorySync::done : DirectorySync::unknown;
}

std::shared_ptr<Tail> LogEnvironment::take_tail() {
  if (spare_tails_.empty()) return std::make_shared<Tail>();
  std::shared_ptr<Tail> tail = std::move(spare_tails_.back());
  spare_tails_.pop_back();
  return tail;
}

void LogEnvironment::give_tail(std::shared_ptr<Tail> tail) {
  constexpr std::size_t spare_max = 64;
  constexpr std::size_t entries_max = 4096;
  if (tail.use_count() != 1 || spare_tails_.size() >= spare_max) return;
  tail->entries.clear();
  if (tail->entries.capacity() > entries_max) tail->entries.shrink_to_fit();
  spare_tails_.push_back(std::move(tail));
}

}  // namespace chronik::wal
