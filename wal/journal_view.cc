#include "wal/journal_view.h"

#include <algorithm>

#include "wal/journal_replay.h"

namespace chronik::wal {

namespace {

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? std::string(".") : path.substr(0, slash);
}

/// A segment with what the journal has of it over it. Read only.
class ViewedFile final : public File {
 public:
  ViewedFile(std::shared_ptr<File> file, const std::vector<JournalView::Piece>& pieces)
      : file_(std::move(file)), pieces_(pieces) {}

  Result<std::size_t> read_at(std::uint64_t position, MutableByteView out) const override {
    TRY_ASSIGN(const std::uint64_t end, size());
    if (position >= end) return std::size_t{0};
    out = out.first(static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), end - position)));
    TRY_ASSIGN(const std::size_t read, file_->read_at(position, out));
    std::fill(out.begin() + static_cast<std::ptrdiff_t>(read), out.end(), std::uint8_t{0});
    for (const JournalView::Piece& piece : pieces_) {
      const std::uint64_t begin = std::max(position, piece.position);
      const std::uint64_t until =
          std::min(position + out.size(), piece.position + piece.bytes.size());
      if (begin >= until) continue;
      const ByteView part = ByteView(piece.bytes).subspan(begin - piece.position, until - begin);
      std::copy(part.begin(), part.end(),
                out.begin() + static_cast<std::ptrdiff_t>(begin - position));
    }
    return out.size();
  }
  Result<std::uint64_t> size() const override {
    TRY_ASSIGN(std::uint64_t size, file_->size());
    for (const JournalView::Piece& piece : pieces_) {
      size = std::max(size, piece.position + piece.bytes.size());
    }
    return size;
  }
  Result<void> write_at(std::uint64_t, std::span<const ByteView>) override { return refused(); }
  Result<void> sync_data() override { return refused(); }
  Result<void> truncate(std::uint64_t) override { return refused(); }
  Result<void> allocate(std::uint64_t) override { return refused(); }

 private:
  static Error refused() { return {Errc::invalid_argument, "a view of a file takes no writes"}; }

  const std::shared_ptr<File> file_;
  const std::vector<JournalView::Piece>& pieces_;
};

}  // namespace

Result<std::unique_ptr<JournalView>> JournalView::open(Disk& disk, const std::string& path) {
  std::string directory = path;
  while (directory.size() > 1 && directory.ends_with('/')) directory.pop_back();
  std::unique_ptr<JournalView> view(new JournalView(disk));
  TRY_ASSIGN(const bool is_data_directory, disk.exists(journal_directory(directory)));
  if (!is_data_directory) directory = parent_of(directory);
  std::uint64_t void_writes = 0;
  TRY(for_each_journal_write(
      disk, directory,
      [&](const std::string& segment, const JournalFrame&, const JournalWrite& write) {
        if (write.segment == state_segment) return Result<void>();
        view->pieces_[segment].push_back({write.position, to_bytes(write.bytes)});
        view->bytes_ += write.bytes.size();
        return Result<void>();
      },
      void_writes));
  return view;
}

Result<std::shared_ptr<File>> JournalView::open(const std::string& path, OpenMode mode) {
  TRY_ASSIGN(std::shared_ptr<File> file, disk_.open(path, mode));
  const auto found = pieces_.find(path);
  if (found == pieces_.end() || mode != OpenMode::read) return file;
  return std::shared_ptr<File>(std::make_shared<ViewedFile>(std::move(file), found->second));
}

Result<std::vector<DirectoryEntry>> JournalView::list(const std::string& directory) {
  return disk_.list(directory);
}
Result<void> JournalView::make_directories(const std::string& directory) {
  return disk_.make_directories(directory);
}
Result<void> JournalView::make_directory(const std::string& directory) {
  return disk_.make_directory(directory);
}
Result<void> JournalView::rename(const std::string& from, const std::string& to) {
  return disk_.rename(from, to);
}
Result<void> JournalView::remove(const std::string& path) { return disk_.remove(path); }
Result<bool> JournalView::exists(const std::string& path) { return disk_.exists(path); }
Result<void> JournalView::sync_directory(const std::string& directory) {
  return disk_.sync_directory(directory);
}
Result<DiskSpace> JournalView::space(const std::string& path) { return disk_.space(path); }
Result<std::unique_ptr<DirectoryLock>> JournalView::lock(const std::string& path) {
  return disk_.lock(path);
}

}  // namespace chronik::wal
