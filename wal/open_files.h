// OpenFiles: the file handles that a shard's logs keep open, at most `capacity` of them; the least
// recently used one is closed first. A handle that is still held elsewhere (a FileRange on its way
// out, a flush in flight) stays open until it is released there. One shard.
#pragma once

#include <cstddef>
#include <memory>

#include "base/file.h"

namespace chronik::wal {

class OpenFiles;

/// Where one segment keeps its handle. Not movable: the list of OpenFiles links through it.
class FileSlot {
 public:
  FileSlot() = default;
  FileSlot(const FileSlot&) = delete;
  FileSlot& operator=(const FileSlot&) = delete;
  ~FileSlot();

  bool is_open() const { return file_ != nullptr; }

 private:
  friend class OpenFiles;
  OpenFiles* owner_ = nullptr;
  std::shared_ptr<File> file_;
  FileSlot* newer_ = nullptr;
  FileSlot* older_ = nullptr;
};

class OpenFiles {
 public:
  explicit OpenFiles(std::size_t capacity) : capacity_(capacity) {}
  OpenFiles(const OpenFiles&) = delete;
  OpenFiles& operator=(const OpenFiles&) = delete;
  ~OpenFiles();

  /// The slot's handle, opened when it is not. Out of descriptors: closes half of what it holds and
  /// tries once more. Errors: those of Disk::open.
  Result<std::shared_ptr<File>> get(Disk& disk, FileSlot& slot, const std::string& path,
                                    OpenMode mode);
  /// Hands a handle that was opened elsewhere to the slot.
  void put(FileSlot& slot, std::shared_ptr<File> file);
  void close(FileSlot& slot);
  /// Closes the older half.
  void shrink();

  std::size_t count() const { return count_; }

 private:
  void link_newest(FileSlot& slot);
  void unlink(FileSlot& slot);

  std::size_t capacity_;
  std::size_t count_ = 0;
  FileSlot* newest_ = nullptr;
  FileSlot* oldest_ = nullptr;
};

}  // namespace chronik::wal
