// SyncedStart: which partition directories hold nothing but what is durable, since their file
// system was synced by one call before the process wrote to any of them. Where it does not say so,
// recovery syncs each file and each name that it relies on by itself: six syncs one after the
// other, for each of a node's partitions. Empty, it knows of none. One per data directory, owned by
// LogDirectory; thread safe.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/file.h"
#include "base/result.h"

namespace chronik::wal {

class SyncedStart {
 public:
  /// What may wait in the page cache, whoever wrote it, for each partition whose syncs are saved.
  static constexpr std::uint64_t unsynced_bytes_max = 4 << 20;

  /// Of a start: one sync of the whole file system, which covers these partitions, unless others
  /// have written so much to it that each file by itself is sooner synced. Never fails: where the
  /// sync does, nothing is known.
  static std::unique_ptr<SyncedStart> begin(FileSystemSync& whole,
                                            std::vector<std::string> partition_directories);

  /// Whether all in the directory is durable. Once: who asks is about to write there. A failed
  /// sync of an earlier process is not ruled out: what is relied on is to be read from the disk,
  /// not from its cache.
  bool take(const std::string& directory);

 private:
  std::mutex mutex_;
  std::unordered_set<std::string> directories_;
};

/// What is known of a directory whose log or state is opened.
enum class DirectorySync {
  unknown,  // some of it may be in the page cache only
  done,     // all of it is durable
};

}  // namespace chronik::wal
