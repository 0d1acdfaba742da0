// LyingDisk: a disk that says a file is synced, or a segment of a partition cut, when it is not:
// bugs to be planted. Everything else goes to the disk below, which outlives it.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "wal/format.h"

namespace chronik::sim {

class LyingFile final : public File {
 public:
  LyingFile(std::shared_ptr<File> file, bool syncs, bool truncates)
      : file_(std::move(file)), syncs_(syncs), truncates_(truncates) {}

  Result<std::size_t> read_at(std::uint64_t position, MutableByteView out) const override {
    return file_->read_at(position, out);
  }
  Result<void> write_at(std::uint64_t position, std::span<const ByteView> parts) override {
    return file_->write_at(position, parts);
  }
  Result<void> sync_data() override { return syncs_ ? file_->sync_data() : Result<void>(); }
  Result<std::uint64_t> size() const override { return file_->size(); }
  Result<void> truncate(std::uint64_t size) override {
    return truncates_ ? file_->truncate(size) : Result<void>();
  }
  Result<void> allocate(std::uint64_t size) override { return file_->allocate(size); }

 private:
  const std::shared_ptr<File> file_;
  const bool syncs_;
  const bool truncates_;
};

class LyingDisk final : public Disk {
 public:
  enum class Lie { syncs, cuts };
  LyingDisk(Disk& disk, Lie lie) : disk_(disk), lie_(lie) {}

  Result<std::shared_ptr<File>> open(const std::string& path, OpenMode mode) override {
    TRY_ASSIGN(std::shared_ptr<File> file, disk_.open(path, mode));
    const bool keeps = lie_ == Lie::cuts && path.find("/t-") != std::string::npos &&
                       path.ends_with(wal::log_suffix);
    return std::shared_ptr<File>(
        std::make_shared<LyingFile>(std::move(file), lie_ != Lie::syncs, !keeps));
  }
  Result<std::vector<DirectoryEntry>> list(const std::string& directory) override {
    return disk_.list(directory);
  }
  Result<void> make_directories(const std::string& directory) override {
    return disk_.make_directories(directory);
  }
  Result<void> make_directory(const std::string& directory) override {
    return disk_.make_directory(directory);
  }
  Result<void> rename(const std::string& from, const std::string& to) override {
    return disk_.rename(from, to);
  }
  Result<void> remove(const std::string& path) override { return disk_.remove(path); }
  Result<bool> exists(const std::string& path) override { return disk_.exists(path); }
  Result<void> sync_directory(const std::string& directory) override {
    return disk_.sync_directory(directory);
  }
  Result<DiskSpace> space(const std::string& path) override { return disk_.space(path); }
  Result<std::unique_ptr<DirectoryLock>> lock(const std::string& path) override {
    return disk_.lock(path);
  }

 private:
  Disk& disk_;
  const Lie lie_;
};

}  // namespace chronik::sim
