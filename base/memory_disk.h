// MemoryDisk: the fake disk. It keeps what was written apart from what was synced, so that a test
// can cut the power: crash() leaves what a real disk might have, chosen by a seeded Random. It also
// flips bits, fails the n-th operation, runs full, runs out of descriptors and calls a hook before
// each operation. Deterministic; thread safe; not for large files (every byte is kept twice).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/random.h"

namespace chronik {

enum class DiskOperation {
  read,
  list,
  create,
  write,
  truncate,
  sync_data,
  make_directory,
  rename,
  remove,
  sync_directory,
};

enum class CrashModel {
  /// The process dies, the machine lives: nothing written is lost.
  kill,
  /// Power loss on a disk that keeps the order of operations: a prefix of what was not synced is
  /// there, its last write torn at a 512-byte sector.
  ordered,
  /// Power loss without order: of what was not synced any sectors and any names may be there.
  reordered,
};

class MemoryDisk final : public Disk {
 public:
  static constexpr std::uint64_t sector_bytes = 512;

  MemoryDisk();
  ~MemoryDisk() override;

  Result<std::shared_ptr<File>> open(const std::string& path, OpenMode mode) override;
  Result<std::vector<DirectoryEntry>> list(const std::string& directory) override;
  Result<void> make_directories(const std::string& directory) override;
  Result<void> make_directory(const std::string& directory) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> remove(const std::string& path) override;
  Result<bool> exists(const std::string& path) override;
  Result<void> sync_directory(const std::string& directory) override;
  Result<std::unique_ptr<FileSystemSync>> file_system_sync(const std::string& directory) override;
  Result<DiskSpace> space(const std::string& path) override;
  Result<std::unique_ptr<DirectoryLock>> lock(const std::string& path) override;

  /// The disk as a restart finds it. Files and locks opened before are dead: every call on them
  /// fails. Clears fail_operation() and power_off_after().
  void crash(Random& random, CrashModel model);
  /// An independent copy with the same content, synced and not.
  std::unique_ptr<MemoryDisk> clone() const;

  /// The n-th changing operation from now (0: the next one) fails once with Errc::io. A failed
  /// write may have written a part. A failed sync or finish_writeback() loses pages that it should
  /// have made durable, and the next one succeeds, as Linux does. `seed` says which pages, and what
  /// becomes of the size of a file that had grown: it stays, with zeros for what was lost (ext4,
  /// whose journal took it), or goes back to the old one with the cached pages (XFS; ext4 after a
  /// failure of its journal). A cut is no page: it stays.
  void fail_operation(std::uint64_t n, std::uint64_t seed = 1);
  /// From the n-th changing operation on everything fails with Errc::io, until crash().
  void power_off_after(std::uint64_t n);
  /// Whether fail_operation() or power_off_after() has struck.
  bool struck() const;
  /// Changing operations so far.
  std::uint64_t operations() const;
  /// Writes that would hold more than this fail with no_space.
  void set_capacity(std::uint64_t bytes);
  std::uint64_t used_bytes() const;
  /// What a sync of the whole file system is said to take (it does not wait), and what others have
  /// written there that it would have to wait for.
  void set_sync_time(std::chrono::microseconds time);
  void set_unsynced_bytes_of_others(std::uint64_t bytes);
  /// The directory, which is there, is of another file system from now on: a sync of the whole one
  /// does not reach what is in it.
  void mount(const std::string& directory);
  /// open(), list() and sync_directory() fail with busy while so many files are open.
  void set_open_files_max(std::size_t count);
  std::size_t open_files() const;
  /// Called before each operation, outside of the disk's mutex, on the caller's thread.
  void set_hook(std::function<void(DiskOperation, const std::string& path)> hook);

  /// Straight to the platter, past all faults: for tests that prepare or damage files.
  void flip_bit(const std::string& path, std::uint64_t position, unsigned bit);
  Bytes content(const std::string& path) const;
  void set_content(const std::string& path, Bytes content);
  /// All files below `directory`, sorted.
  std::vector<std::string> files(const std::string& directory) const;

 private:
  struct State;
  friend class MemoryFile;
  friend class MemoryFileSystemSync;
  friend class MemoryLock;

  explicit MemoryDisk(std::shared_ptr<State> state);

  // Shared with the open files, which may outlive the disk.
  std::shared_ptr<State> state_;
};

}  // namespace chronik
