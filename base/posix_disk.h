// PosixDisk: the operating system's files. Descriptors are close-on-exec; calls interrupted by a
// signal and short transfers are continued. Thread safe.
#pragma once

#include "base/file.h"
#include "base/sync_threads.h"

namespace chronik {

class PosixDisk final : public Disk {
 public:
  Result<std::shared_ptr<File>> open(const std::string& path, OpenMode mode) override;
  Result<std::vector<DirectoryEntry>> list(const std::string& directory) override;
  Result<void> make_directories(const std::string& directory) override;
  Result<void> make_directory(const std::string& directory) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> remove(const std::string& path) override;
  Result<bool> exists(const std::string& path) override;
  Result<void> sync_directory(const std::string& directory) override;
  Result<void> sync_all(const SyncBatch& batch) override;
  Result<std::unique_ptr<FileSystemSync>> file_system_sync(const std::string& directory) override;
  Result<DiskSpace> space(const std::string& path) override;
  /// The lock file carries the holder's process id, for the message of who comes second.
  Result<std::unique_ptr<DirectoryLock>> lock(const std::string& path) override;

 private:
  // With more threads a batch of syncs is not done sooner.
  SyncThreads sync_threads_{4, std::chrono::microseconds(1000)};
};

}  // namespace chronik
