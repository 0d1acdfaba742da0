// JournalView: a stopped data directory as its next start would make it: reads of segments see what
// only the journal has. For those who look at logs from outside (dump, verify). All else is the
// disk below, states of replicas too: the last vote may be in the journal alone.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/result.h"

namespace chronik::wal {

class JournalView final : public Disk {
 public:
  /// `path`: a data directory, or one partition's in it. Errors: those of for_each_journal_write().
  static Result<std::unique_ptr<JournalView>> open(Disk& disk, const std::string& path);

  /// What the journal has, and of how many segments.
  std::uint64_t bytes() const { return bytes_; }
  std::size_t segments() const { return pieces_.size(); }

  Result<std::shared_ptr<File>> open(const std::string& path, OpenMode mode) override;
  Result<std::vector<DirectoryEntry>> list(const std::string& directory) override;
  Result<void> make_directories(const std::string& directory) override;
  Result<void> make_directory(const std::string& directory) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> remove(const std::string& path) override;
  Result<bool> exists(const std::string& path) override;
  Result<void> sync_directory(const std::string& directory) override;
  Result<DiskSpace> space(const std::string& path) override;
  Result<std::unique_ptr<DirectoryLock>> lock(const std::string& path) override;

  struct Piece {
    std::uint64_t position = 0;
    Bytes bytes;
  };

 private:
  explicit JournalView(Disk& disk) : disk_(disk) {}

  Disk& disk_;
  std::map<std::string, std::vector<Piece>> pieces_;  // by the segment's path, in order
  std::uint64_t bytes_ = 0;
};

}  // namespace chronik::wal
