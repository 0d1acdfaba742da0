#include "wal/disk_space.h"

#include <algorithm>

#include "base/log.h"

namespace chronik::wal {

namespace {
constexpr std::string_view reserve_file = "chronik.reserve";
constexpr std::uint64_t mebibyte = 1u << 20;
}  // namespace

SpaceGuard::SpaceGuard(Disk& disk, std::string directory, SpaceLimits limits)
    : disk_(disk), directory_(std::move(directory)), limits_(limits) {}

Result<std::unique_ptr<SpaceGuard>> SpaceGuard::open(Disk& disk, const std::string& directory,
                                                     SpaceLimits limits) {
  TRY_ASSIGN(const DiskSpace space, disk.space(directory));
  if (limits.watermark_bytes == 0) {
    limits.watermark_bytes = std::min(space.total_bytes / 20, 128 * mebibyte);
  }
  if (limits.reserve_bytes == 0) {
    limits.reserve_bytes = std::min(space.total_bytes / 100, 16 * mebibyte);
  }
  std::unique_ptr<SpaceGuard> guard(new SpaceGuard(disk, directory, limits));
  guard->usable_.store(static_cast<std::int64_t>(space.usable_bytes));
  TRY_ASSIGN(guard->reserve_there_, disk.exists(directory + "/" + std::string(reserve_file)));
  return guard;
}

Result<void> SpaceGuard::admit(std::uint64_t bytes) {
  if (refusing()) refresh();
  const auto claimed = static_cast<std::int64_t>(bytes);
  const auto watermark = static_cast<std::int64_t>(limits_.watermark_bytes);
  std::int64_t usable = usable_.fetch_sub(claimed, std::memory_order_relaxed) - claimed;
  if (usable < watermark && !refusing()) {
    // The claims since the last look may be written by now, or space may have been freed.
    refresh();
    usable = usable_.fetch_sub(claimed, std::memory_order_relaxed) - claimed;
  }
  if (usable >= watermark) return {};
  usable_.fetch_add(claimed, std::memory_order_relaxed);
  if (!refusing_.exchange(true)) {
    log_error("the disk is nearly full: records are refused until there is space",
              {{"directory", directory_},
               {"usable_bytes", std::max<std::int64_t>(0, usable + claimed)},
               {"watermark_bytes", limits_.watermark_bytes},
               {"advice", "free some space, delete records or shorten retention"}});
  }
  return Error{
      Errc::no_space,
      fmt::format("the disk of {} is nearly full ({} bytes usable, {} are kept free): free "
                  "some space, delete records or shorten retention",
                  directory_, std::max<std::int64_t>(0, usable + claimed),
                  limits_.watermark_bytes)};
}

void SpaceGuard::refresh() {
  const Result<DiskSpace> space = disk_.space(directory_);
  if (!space) return;  // the next write will tell
  usable_.store(static_cast<std::int64_t>(space->usable_bytes), std::memory_order_relaxed);
  // Once refused, there must be some more room before records are taken again, or every other
  // append would be.
  const std::uint64_t enough = limits_.watermark_bytes + limits_.watermark_bytes / 8;
  if (refusing() && space->usable_bytes >= enough && refusing_.exchange(false)) {
    log_info("the disk has space again: records are accepted",
             {{"directory", directory_}, {"usable_bytes", space->usable_bytes}});
  }
  const std::lock_guard lock(reserve_mutex_);
  if (!reserve_there_ && space->usable_bytes >= enough + limits_.reserve_bytes) {
    if (const Result<void> made = make_reserve(); !made) {
      log_warn("the reserve of the disk cannot be made", {{"why", made.error().message}});
    }
  }
}

bool SpaceGuard::release_reserve() {
  const std::lock_guard lock(reserve_mutex_);
  refusing_.store(true);
  if (!reserve_there_) return false;
  reserve_there_ = false;
  const Result<void> removed = disk_.remove(directory_ + "/" + std::string(reserve_file));
  log_error("the disk is full: its reserve is given up and records are refused",
            {{"directory", directory_},
             {"reserve_bytes", limits_.reserve_bytes},
             {"advice", "free some space, delete records or shorten retention"}});
  return removed.has_value();
}

Result<void> SpaceGuard::make_reserve() {
  const std::string path = directory_ + "/" + std::string(reserve_file);
  TRY_ASSIGN(const auto file, disk_.open(path, OpenMode::create));
  if (Result<void> taken = file->allocate(limits_.reserve_bytes); !taken) {
    // Half a reserve is none.
    TRY(disk_.remove(path));
    return taken;
  }
  reserve_there_ = true;
  return {};
}

}  // namespace chronik::wal
