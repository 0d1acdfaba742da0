#include "base/file.h"

namespace chronik {

Result<void> Disk::sync_all(const SyncBatch& batch) {
  for (const std::shared_ptr<File>& file : batch.files) TRY(file->sync_data());
  for (const std::string& directory : batch.directories) TRY(sync_directory(directory));
  return {};
}

Result<std::unique_ptr<FileSystemSync>> Disk::file_system_sync(const std::string&) {
  return std::unique_ptr<FileSystemSync>();
}

}  // namespace chronik
