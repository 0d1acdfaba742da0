// PosixDisk: the operating system's files. Descriptors are close-on-exec; calls interrupted by a
// signal and short transfers are continued. Stateless and thread safe.
#pragma once

#include "base/file.h"

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
  Result<DiskSpace> space(const std::string& path) override;
  /// The lock file carries the holder's process id, for the message of who comes second.
  Result<std::unique_ptr<DirectoryLock>> lock(const std::string& path) override;
};

}  // namespace chronik
