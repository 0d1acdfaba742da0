// SpaceGuard: refuses appends before the disk is really full, so that reads, deletes, retention and
// the metadata log go on, and takes them again when space is back. Besides the watermark it keeps a
// reserve: a file with blocks that is given up when somebody else fills the disk between two
// looks, so that bytes already accepted can still be written. One for the data directory, shared by
// all shards. Thread safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "base/file.h"

namespace chronik::wal {

struct SpaceLimits {
  /// Appends are refused while fewer usable bytes are left. Empty limits are drawn from the disk's
  /// size: 5 % of it, at most 128 MiB.
  std::uint64_t watermark_bytes = 0;
  /// Size of the reserve file: 1 % of the disk, at most 16 MiB, when zero.
  std::uint64_t reserve_bytes = 0;
};

class SpaceGuard {
 public:
  /// Looks at the disk once. Errors: io.
  static Result<std::unique_ptr<SpaceGuard>> open(Disk& disk, const std::string& directory,
                                                  SpaceLimits limits);

  /// Claims `bytes` for an append that is about to be made. Errors: no_space with the figures and
  /// what to do. While it refuses it looks at the disk each time, so it recovers at once.
  Result<void> admit(std::uint64_t bytes);
  /// Looks at the disk; called on the I/O thread after each flush. Makes the reserve when there is
  /// room.
  void refresh();
  /// A write has met a full disk: gives the reserve up. True when that freed something, so that the
  /// write may be tried once more.
  bool release_reserve();

  bool refusing() const { return refusing_.load(std::memory_order_relaxed); }
  std::uint64_t watermark_bytes() const { return limits_.watermark_bytes; }

 private:
  SpaceGuard(Disk& disk, std::string directory, SpaceLimits limits);
  Result<void> make_reserve();

  Disk& disk_;
  const std::string directory_;
  SpaceLimits limits_;
  std::atomic<std::int64_t> usable_{0};
  std::atomic<bool> refusing_{false};
  std::mutex reserve_mutex_;
  bool reserve_there_ = false;
};

}  // namespace chronik::wal
