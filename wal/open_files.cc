#include "wal/open_files.h"

#include "base/check.h"

namespace chronik::wal {

FileSlot::~FileSlot() {
  if (owner_ != nullptr) owner_->close(*this);
}

OpenFiles::~OpenFiles() {
  while (oldest_ != nullptr) close(*oldest_);
}

Result<std::shared_ptr<File>> OpenFiles::get(Disk& disk, FileSlot& slot, const std::string& path,
                                             OpenMode mode) {
  if (slot.is_open()) {
    if (newest_ != &slot) {
      unlink(slot);
      link_newest(slot);
    }
    return slot.file_;
  }
  Result<std::shared_ptr<File>> file = disk.open(path, mode);
  if (!file && file.error().code == Errc::busy) {
    shrink();
    file = disk.open(path, mode);
  }
  if (!file) return std::move(file).error();
  put(slot, *file);
  return file;
}

void OpenFiles::put(FileSlot& slot, std::shared_ptr<File> file) {
  CHECK(file != nullptr);
  if (slot.is_open()) close(slot);
  while (count_ >= capacity_ && oldest_ != nullptr) close(*oldest_);
  slot.file_ = std::move(file);
  slot.owner_ = this;
  ++count_;
  link_newest(slot);
}

void OpenFiles::close(FileSlot& slot) {
  CHECK(slot.owner_ == this);
  unlink(slot);
  slot.owner_ = nullptr;
  slot.file_.reset();
  --count_;
}

void OpenFiles::shrink() {
  for (std::size_t left = count_ / 2 + 1; left > 0 && oldest_ != nullptr; --left) close(*oldest_);
}

void OpenFiles::link_newest(FileSlot& slot) {
  slot.older_ = newest_;
  slot.newer_ = nullptr;
  if (newest_ != nullptr) newest_->newer_ = &slot;
  newest_ = &slot;
  if (oldest_ == nullptr) oldest_ = &slot;
}

void OpenFiles::unlink(FileSlot& slot) {
  if (slot.newer_ != nullptr) slot.newer_->older_ = slot.older_;
  if (slot.older_ != nullptr) slot.older_->newer_ = slot.newer_;
  if (newest_ == &slot) newest_ = slot.older_;
  if (oldest_ == &slot) oldest_ = slot.newer_;
  slot.newer_ = slot.older_ = nullptr;
}

}  // namespace chronik::wal
