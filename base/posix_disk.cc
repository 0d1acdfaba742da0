#include "base/posix_disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <optional>
#include <string_view>
#include <system_error>

#include "base/log.h"

namespace chronik {

namespace {

Errc code_of(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return Errc::not_found;
    case ENOSPC:
    case EDQUOT:
      return Errc::no_space;
    case EMFILE:
    case ENFILE:
      return Errc::busy;
    default:
      return Errc::io;
  }
}

/// What one has to know beside the system's words.
std::string hint(int error) {
  if (error == EMFILE || error == ENFILE) return "; raise the limit (ulimit -n, LimitNOFILE=)";
  if (error == EACCES || error == EPERM) return fmt::format(" to user {}", ::geteuid());
  return {};
}

Error failure(std::string_view what, const std::string& path, int error) {
  return {code_of(error), fmt::format("cannot {} {}: {}{}", what, path,
                                      std::generic_category().message(error), hint(error))};
}

/// Of a sync: whatever the system calls it, what was written may be lost. Nothing that passes.
Error sync_failure(const std::string& path, int error) {
  return {Errc::io, failure("sync", path, error).message};
}

template <class Call>
auto retry_interrupted(Call call) {
  for (;;) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

/// Owns a descriptor until it is given away.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    // Nothing written here may depend on close(): durable is what was synced before.
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

class PosixFile final : public File {
 public:
  PosixFile(Descriptor fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  Result<std::size_t> read_at(std::uint64_t position, MutableByteView out) const override {
    std::size_t done = 0;
    while (done < out.size()) {
      const ssize_t n = retry_interrupted([&] {
        return ::pread(fd_.get(), out.data() + done, out.size() - done,
                       static_cast<off_t>(position + done));
      });
      if (n < 0) return failure("read", path_, errno);
      if (n == 0) break;
      done += static_cast<std::size_t>(n);
    }
    return done;
  }

  Result<void> write_at(std::uint64_t position, std::span<const ByteView> parts) override {
    // The system takes at most IOV_MAX (1024) parts at once.
    constexpr std::size_t parts_max = 1024;
    std::array<iovec, parts_max> vectors;
    std::size_t part = 0;
    std::size_t skip = 0;  // bytes of parts[part] that are written
    while (part < parts.size()) {
      std::size_t count = 0;
      for (std::size_t i = part; i < parts.size() && count < parts_max; ++i) {
        const ByteView bytes = i == part ? parts[i].subspan(skip) : parts[i];
        vectors[count++] = {const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
      }
      const ssize_t n = retry_interrupted([&] {
        return ::pwritev(fd_.get(), vectors.data(), static_cast<int>(count),
                         static_cast<off_t>(position));
      });
      if (n < 0) return failure("write", path_, errno);
      position += static_cast<std::uint64_t>(n);
      auto left = static_cast<std::size_t>(n);
      bool moved = n > 0;
      while (part < parts.size() && left >= parts[part].size() - skip) {
        left -= parts[part].size() - skip;
        skip = 0;
        ++part;
        moved = true;
      }
      skip += left;
      if (!moved) return failure("write", path_, EIO);
    }
    return {};
  }

  Result<void> write_blocks(std::uint64_t position, ByteView blocks) override {
    std::call_once(direct_opened_, [this] {
      const std::string self = fmt::format("/proc/self/fd/{}", fd_.get());
      direct_.emplace(
          retry_interrupted([&] { return ::open(self.c_str(), O_RDWR | O_DIRECT | O_CLOEXEC); }));
    });
    while (!blocks.empty() && direct_->get() >= 0) {
      const ssize_t n = retry_interrupted([&] {
        return ::pwrite(direct_->get(), blocks.data(), blocks.size(), static_cast<off_t>(position));
      });
      // A file system that opens the file so may still want other blocks than these.
      if (n < 0 && errno == EINVAL) break;
      if (n < 0) return failure("write", path_, errno);
      const auto written = static_cast<std::size_t>(n) / block_bytes * block_bytes;
      if (written == 0) break;
      position += written;
      blocks = blocks.subspan(written);
    }
    return blocks.empty() ? Result<void>()
                          : write_at(position, std::span<const ByteView>(&blocks, 1));
  }

  Result<void> sync_data() override {
    if (retry_interrupted([&] { return ::fdatasync(fd_.get()); }) < 0) {
      return sync_failure(path_, errno);
    }
    return {};
  }

  Result<std::uint64_t> size() const override {
    struct stat status {};
    if (::fstat(fd_.get(), &status) < 0) return failure("stat", path_, errno);
    return static_cast<std::uint64_t>(status.st_size);
  }

  Result<void> truncate(std::uint64_t size) override {
    if (retry_interrupted([&] { return ::ftruncate(fd_.get(), static_cast<off_t>(size)); }) < 0) {
      return failure("truncate", path_, errno);
    }
    return {};
  }

  Result<void> allocate(std::uint64_t size) override {
    if (retry_interrupted([&] { return ::fallocate(fd_.get(), 0, 0, static_cast<off_t>(size)); }) ==
        0) {
      return {};
    }
    if (errno != EOPNOTSUPP) return failure("allocate", path_, errno);
    const Bytes zeros(std::size_t{1} << 20);
    TRY_ASSIGN(std::uint64_t at, this->size());
    while (at < size) {
      const ByteView part = ByteView(zeros).first(std::min<std::uint64_t>(zeros.size(), size - at));
      TRY(write_at(at, std::span<const ByteView>(&part, 1)));
      at += part.size();
    }
    return {};
  }

  int descriptor() const override { return fd_.get(); }

  void start_writeback(std::uint64_t position, std::uint64_t size) override {
    ::sync_file_range(fd_.get(), static_cast<off64_t>(position), static_cast<off64_t>(size),
                      SYNC_FILE_RANGE_WRITE);
  }
  Result<void> finish_writeback(std::uint64_t position, std::uint64_t size) override {
    constexpr unsigned written =
        SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    const int done = ::sync_file_range(fd_.get(), static_cast<off64_t>(position),
                                       static_cast<off64_t>(size), written);
    // Other errors say that the file system does not know how: then sync_data() does all.
    if (done < 0 && (errno == EIO || errno == ENOSPC)) return failure("write back", path_, errno);
    return {};
  }
  void drop_cache(std::uint64_t position, std::uint64_t size) const override {
    ::posix_fadvise(fd_.get(), static_cast<off_t>(position), static_cast<off_t>(size),
                    POSIX_FADV_DONTNEED);
  }

 private:
  Descriptor fd_;
  std::once_flag direct_opened_;
  std::optional<Descriptor> direct_;  // the same file, past the page cache; none: -1
  const std::string path_;
};

class PosixLock final : public DirectoryLock {
 public:
  explicit PosixLock(Descriptor fd) : fd_(std::move(fd)) {}

 private:
  Descriptor fd_;
};

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

/// Those whose syncfs() waits for data, metadata and the disk's cache. Not FUSE's, which may not
/// pass it on; those in memory have nothing to sync.
bool syncs_all(decltype(std::declval<struct statfs>().f_type) file_system) {
  constexpr auto xfs_magic = 0x58465342;
  return file_system == EXT4_SUPER_MAGIC || file_system == xfs_magic ||
         file_system == BTRFS_SUPER_MAGIC || file_system == F2FS_SUPER_MAGIC;
}

/// Since Linux 5.8 the descriptor of syncfs() is told of what could not be written since it was
/// opened, once; before nobody is.
bool syncfs_tells_failures() {
  struct utsname name {};
  int major = 0;
  int minor = 0;
  return ::uname(&name) == 0 && std::sscanf(name.release, "%d.%d", &major, &minor) == 2 &&
         std::pair(major, minor) >= std::pair(5, 8);
}

class PosixFileSystemSync final : public FileSystemSync {
 public:
  PosixFileSystemSync(Descriptor fd, std::string directory)
      : fd_(std::move(fd)), directory_(std::move(directory)) {}

  /// Of all file systems, which is what the kernel counts. What is not known is taken for much.
  std::uint64_t unsynced_bytes() const override {
    constexpr std::uint64_t much = std::uint64_t{1} << 60;
    std::array<char, 8192> buffer{};
    const ssize_t size = ::pread(counters_.get(), buffer.data(), buffer.size(), 0);
    if (size <= 0) return much;
    const std::string_view text(buffer.data(), static_cast<std::size_t>(size));
    std::uint64_t pages = 0;
    for (const std::string_view name : {"\nnr_dirty ", "\nnr_writeback "}) {
      const std::size_t found = text.find(name);
      if (found == std::string_view::npos) return much;
      std::uint64_t count = 0;
      const char* const begin = text.data() + found + name.size();
      if (std::from_chars(begin, text.data() + text.size(), count).ec != std::errc{}) return much;
      pages += count;
    }
    return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  }

  Result<std::chrono::microseconds> sync() override {
    const auto begin = std::chrono::steady_clock::now();
    if (retry_interrupted([&] { return ::syncfs(fd_.get()); }) < 0) {
      return sync_failure(directory_, errno);
    }
    return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() -
                                                                 begin);
  }
  Result<std::chrono::microseconds> sync_with_names() override { return sync(); }

  bool covers(const std::string& directory) const override {
    struct stat own {};
    struct stat status {};
    return ::fstat(fd_.get(), &own) == 0 && ::stat(directory.c_str(), &status) == 0 &&
           own.st_dev == status.st_dev;
  }

 private:
  const Descriptor fd_;
  const Descriptor counters_{::open("/proc/vmstat", O_RDONLY | O_CLOEXEC)};
  const std::string directory_;
};

}  // namespace

Result<std::shared_ptr<File>> PosixDisk::open(const std::string& path, OpenMode mode) {
  const int flags = mode == OpenMode::read         ? O_RDONLY
                    : mode == OpenMode::read_write ? O_RDWR
                                                   : O_RDWR | O_CREAT;
  const int fd = retry_interrupted(
      [&] { return ::open(path.c_str(), flags | O_CLOEXEC, S_IRUSR | S_IWUSR | S_IRGRP); });
  if (fd < 0) return failure("open", path, errno);
  return std::shared_ptr<File>(std::make_shared<PosixFile>(Descriptor(fd), path));
}

Result<std::vector<DirectoryEntry>> PosixDisk::list(const std::string& directory) {
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(directory.c_str()), ::closedir);
  if (stream == nullptr) return failure("list", directory, errno);
  std::vector<DirectoryEntry> entries;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(stream.get());
    if (entry == nullptr) {
      if (errno != 0) return failure("list", directory, errno);
      return entries;
    }
    std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    bool is_directory = entry->d_type == DT_DIR;
    if (entry->d_type == DT_UNKNOWN || entry->d_type == DT_LNK) {
      struct stat status {};
      const std::string path = fmt::format("{}/{}", directory, name);
      is_directory = ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
    }
    entries.push_back({std::move(name), is_directory});
  }
}

Result<void> PosixDisk::make_directory(const std::string& directory) {
  if (::mkdir(directory.c_str(), S_IRWXU | S_IRGRP | S_IXGRP) == 0) return {};
  const int error = errno;
  struct stat status {};
  if (error == EEXIST && ::stat(directory.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) {
    return {};
  }
  return failure("make directory", directory, error == EEXIST ? ENOTDIR : error);
}

Result<void> PosixDisk::make_directories(const std::string& directory) {
  TRY_ASSIGN(const bool there, exists(directory));
  const std::string parent = parent_of(directory);
  if (there || parent == directory) return make_directory(directory);
  TRY(make_directories(parent));
  TRY(make_directory(directory));
  return sync_directory(parent);
}

Result<void> PosixDisk::rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) == 0) return {};
  return failure("rename", from + " to " + to, errno);
}

Result<void> PosixDisk::remove(const std::string& path) {
  if (std::remove(path.c_str()) != 0) return failure("remove", path, errno);
  return {};
}

Result<bool> PosixDisk::exists(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  return failure("look at", path, errno);
}

Result<void> PosixDisk::sync_directory(const std::string& directory) {
  const Descriptor fd(retry_interrupted(
      [&] { return ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (fd.get() < 0) return failure("open", directory, errno);
  if (retry_interrupted([&] { return ::fsync(fd.get()); }) < 0) {
    return sync_failure(directory, errno);
  }
  return {};
}

Result<void> PosixDisk::sync_all(const SyncBatch& batch) {
  return sync_threads_.run(batch.files.size() + batch.directories.size(), [&](std::size_t number) {
    return number < batch.files.size()
               ? batch.files[number]->sync_data()
               : sync_directory(batch.directories[number - batch.files.size()]);
  });
}

Result<std::unique_ptr<FileSystemSync>> PosixDisk::file_system_sync(const std::string& directory) {
  Descriptor fd(retry_interrupted(
      [&] { return ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (fd.get() < 0) return failure("open", directory, errno);
  struct statfs system {};
  if (retry_interrupted([&] { return ::fstatfs(fd.get(), &system); }) < 0) {
    return failure("look at the file system of", directory, errno);
  }
  if (!syncs_all(system.f_type) || !syncfs_tells_failures()) {
    return std::unique_ptr<FileSystemSync>();
  }
  return std::unique_ptr<FileSystemSync>(
      std::make_unique<PosixFileSystemSync>(std::move(fd), directory));
}

Result<DiskSpace> PosixDisk::space(const std::string& path) {
  struct statvfs status {};
  if (retry_interrupted([&] { return ::statvfs(path.c_str(), &status); }) < 0) {
    return failure("look at the space of", path, errno);
  }
  const auto block = static_cast<std::uint64_t>(status.f_frsize);
  return DiskSpace{status.f_blocks * block, status.f_bavail * block};
}

Result<std::unique_ptr<DirectoryLock>> PosixDisk::lock(const std::string& path) {
  Descriptor fd(retry_interrupted(
      [&] { return ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR); }));
  if (fd.get() < 0) return failure("open", path, errno);
  if (retry_interrupted([&] { return ::flock(fd.get(), LOCK_EX | LOCK_NB); }) < 0) {
    if (errno != EWOULDBLOCK) return failure("lock", path, errno);
    std::array<char, 32> holder{};
    const ssize_t n = ::pread(fd.get(), holder.data(), holder.size() - 1, 0);
    std::string_view who(holder.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
    while (!who.empty() && (who.back() < '0' || who.back() > '9')) who.remove_suffix(1);
    return Error{Errc::busy, fmt::format("{} is locked by another process{}{}", path,
                                         who.empty() ? "" : ", id ", who)};
  }
  // Only a hint for the message above: not being able to write it is no reason to fail.
  const std::string self = fmt::format("{}\n", ::getpid());
  if (::ftruncate(fd.get(), 0) == 0) {
    [[maybe_unused]] const ssize_t n = ::pwrite(fd.get(), self.data(), self.size(), 0);
  }
  return std::unique_ptr<DirectoryLock>(std::make_unique<PosixLock>(std::move(fd)));
}

}  // namespace chronik
