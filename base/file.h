// Disk and File: the only door to storage. Two implementations: the operating system's
// (base/posix_disk.h) and a fake that forgets unsynced bytes, tears, corrupts, fails and fills up
// (base/memory_disk.h).
//
// Durability contract, the same for both: bytes written are safe against power loss after
// sync_data() of their file; a name made, renamed or removed is safe after sync_directory() of the
// directory that holds it. A failed write or sync leaves the file in an unknown state: the caller
// must not retry it and must not acknowledge anything.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace chronik {

/// One open file, closed by its destructor. Reads and writes carry their position, so threads may
/// use one File at the same time on different ranges.
class File {
 public:
  virtual ~File() = default;

  /// Reads up to out.size() bytes at `position`; fewer only at the end of the file. Errors: io.
  virtual Result<std::size_t> read_at(std::uint64_t position, MutableByteView out) const = 0;
  /// Writes the parts one behind the other from `position`, all or an error. Errors: io, no_space.
  virtual Result<void> write_at(std::uint64_t position, std::span<const ByteView> parts) = 0;
  /// As write_at(): whole blocks, position and memory at multiples of a block. They go past the
  /// page cache where the file system can; a write_at() of the same range must not be under way.
  static constexpr std::size_t block_bytes = 4096;
  virtual Result<void> write_blocks(std::uint64_t position, ByteView blocks) {
    return write_at(position, blocks);
  }
  /// What was written to this file before the call is durable when it returns. Errors: io, and
  /// nothing else: no failed sync may be taken for one that passes.
  virtual Result<void> sync_data() = 0;
  virtual Result<std::uint64_t> size() const = 0;
  /// Cuts, or extends with zeros. Durable after sync_data().
  virtual Result<void> truncate(std::uint64_t size) = 0;
  /// Takes disk space for the first `size` bytes; the file is then at least that long. Errors:
  /// no_space, io.
  virtual Result<void> allocate(std::uint64_t size) = 0;
  /// For sendfile; -1 where there is none (the fake): then read_at and copy.
  virtual int descriptor() const { return -1; }
  /// Starts to write this range back without waiting, so that a later sync_data() finds less to do.
  /// A hint: promises nothing.
  virtual void start_writeback(std::uint64_t /*position*/, std::uint64_t /*size*/) {}
  /// Forgets cached pages of this range that are written back, so that the next read sees what the
  /// disk has. A hint.
  virtual void drop_cache(std::uint64_t /*position*/, std::uint64_t /*size*/) const {}
  /// Waits until this range is written back, so that who writes much keeps the queue of the disk
  /// short for others. Nothing is durable before sync_data(). Errors: io, as sync_data(), which may
  /// not tell it again.
  virtual Result<void> finish_writeback(std::uint64_t /*position*/, std::uint64_t /*size*/) {
    return {};
  }

  Result<void> write_at(std::uint64_t position, ByteView bytes) {
    return write_at(position, std::span<const ByteView>(&bytes, 1));
  }
};

enum class OpenMode {
  read,        // must exist
  read_write,  // must exist
  create,      // made when missing, read and write
};

struct DirectoryEntry {
  std::string name;
  bool is_directory = false;
};

struct DiskSpace {
  std::uint64_t total_bytes = 0;
  std::uint64_t usable_bytes = 0;
};

/// Held as long as the object lives; released by the system when the process dies.
class DirectoryLock {
 public:
  virtual ~DirectoryLock() = default;
};

/// What one call makes durable together.
struct SyncBatch {
  std::vector<std::shared_ptr<File>> files;  // their data
  std::vector<std::string> directories;      // the names in them
};

/// Makes durable what a file system holds, by one call however many files were written. Thread
/// safe.
class FileSystemSync {
 public:
  virtual ~FileSystemSync() = default;
  /// All that was written to files below the directory, and to others of that file system; the time
  /// it took. Errors: io, for any write of them that failed since this object was made, whoever was
  /// told before; told once, so that two threads need an object each.
  virtual Result<std::chrono::microseconds> sync() = 0;
  /// The same, and the names in all directories.
  virtual Result<std::chrono::microseconds> sync_with_names() = 0;
  /// Whether what lies in the directory is of that file system: not where it is a link to another
  /// one, or another one is mounted there. False also where that cannot be told.
  virtual bool covers(const std::string& directory) const = 0;
  /// Bytes that sync() may have to wait for, whoever wrote them: at least those of this file
  /// system.
  virtual std::uint64_t unsynced_bytes() const = 0;
};

/// Paths are plain strings with '/'. Thread safe.
class Disk {
 public:
  virtual ~Disk() = default;

  /// Errors: not_found, io, no_space, busy (out of file descriptors).
  virtual Result<std::shared_ptr<File>> open(const std::string& path, OpenMode mode) = 0;
  /// Errors: not_found, io. Names without "." and "..", in no order.
  virtual Result<std::vector<DirectoryEntry>> list(const std::string& directory) = 0;
  /// With its parents; fine when it exists. Each parent of a directory made is synced.
  virtual Result<void> make_directories(const std::string& directory) = 0;
  /// One directory in a parent that exists; fine when it is there. Nothing is synced.
  virtual Result<void> make_directory(const std::string& directory) = 0;
  /// Replaces `to` when it exists, in one step. A directory takes its content along and replaces
  /// only an empty one.
  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
  /// A file, or an empty directory. Errors: not_found, io.
  virtual Result<void> remove(const std::string& path) = 0;
  virtual Result<bool> exists(const std::string& path) = 0;
  virtual Result<void> sync_directory(const std::string& directory) = 0;
  /// sync_data() of the files and sync_directory() of the directories, in any order. A file system
  /// commits what is asked for at the same time together, so this takes little longer than one
  /// sync. After an error none of them may be counted on. Errors: those of both; busy only when
  /// nothing worse happened, then all of it may be tried again.
  virtual Result<void> sync_all(const SyncBatch& batch);
  /// Of the file system that has this directory; nullptr when that one is not known to make all
  /// durable and to say what failed. Errors: not_found, io, busy.
  virtual Result<std::unique_ptr<FileSystemSync>> file_system_sync(const std::string& directory);
  virtual Result<DiskSpace> space(const std::string& path) = 0;
  /// Locks `path` (made when missing) against every other process. Errors: busy, io.
  virtual Result<std::unique_ptr<DirectoryLock>> lock(const std::string& path) = 0;
};

}  // namespace chronik
