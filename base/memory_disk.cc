#include "base/memory_disk.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <set>

#include "base/check.h"
#include "base/log.h"
#include "base/memory_disk_tree.h"

namespace chronik {

using memory_disk::Directory;
using memory_disk::Inode;
using memory_disk::Node;
using memory_disk::UsedBytes;

namespace {

constexpr std::uint64_t never = std::numeric_limits<std::uint64_t>::max();

std::vector<std::string> split(const std::string& path) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t slash = std::min(path.find('/', at), path.size());
    if (slash > at) parts.push_back(path.substr(at, slash - at));
    at = slash + 1;
  }
  return parts;
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

std::string name_of(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

Error missing(const std::string& path) {
  return {Errc::not_found, fmt::format("{}: no such file or directory", path)};
}

}  // namespace

struct MemoryDisk::State {
  mutable std::mutex mutex;
  UsedBytes used = std::make_shared<std::atomic<std::uint64_t>>(0);
  std::shared_ptr<Directory> root = std::make_shared<Directory>();
  std::uint64_t sequence = 0;  // of changing operations
  std::uint64_t fail_at = never;
  std::uint64_t failure_seed = 1;
  std::uint64_t power_off_at = never;
  std::uint64_t failed_syncs = 0;
  bool struck = false;
  std::uint64_t capacity = std::uint64_t{1} << 50;
  std::chrono::microseconds sync_time{};
  std::uint64_t unsynced_bytes_of_others = 0;
  std::size_t open_files_max = std::numeric_limits<std::size_t>::max();
  std::uint64_t generation = 0;  // rises with each crash
  std::shared_ptr<std::atomic<std::size_t>> open_files =
      std::make_shared<std::atomic<std::size_t>>(0);
  std::set<std::string> locks;
  std::function<void(DiskOperation, const std::string&)> hook;

  void call_hook(DiskOperation operation, const std::string& path) const {
    std::function<void(DiskOperation, const std::string&)> called;
    {
      const std::lock_guard lock(mutex);
      called = hook;
    }
    if (called) called(operation, path);
  }

  /// Under the mutex: counts a changing operation; the error it meets, if any.
  std::optional<Error> change(const std::string& path) {
    const std::uint64_t number = sequence++;
    if (number >= power_off_at) {
      struck = true;
      return Error{Errc::io, fmt::format("{}: the power is off", path)};
    }
    if (number == fail_at) {
      struck = true;
      return Error{Errc::io, fmt::format("{}: input/output error", path)};
    }
    return std::nullopt;
  }
  /// Under the mutex: a power cut leaves the choice to crash(); a failed write to the disk loses
  /// pages, silently later on.
  void fail_sync(Inode& inode) {
    ++failed_syncs;
    if (sequence > power_off_at) return;
    Random chosen(failure_seed);
    memory_disk::fail_sync(inode, chosen);
  }
  /// Under the mutex: what a call meets that needs a descriptor, be it for its own time only.
  std::optional<Error> take_descriptor(const std::string& path) const {
    if (*open_files < open_files_max) return std::nullopt;
    return Error{Errc::busy, fmt::format("cannot open {}: too many open files", path)};
  }
  std::optional<Error> look(const std::string& path) const {
    if (sequence > power_off_at) {
      return Error{Errc::io, fmt::format("{}: the power is off", path)};
    }
    return std::nullopt;
  }

  Directory* directory(const std::string& path) const {
    Directory* at = root.get();
    for (const std::string& part : split(path)) {
      const auto found = at->current.find(part);
      if (found == at->current.end() || found->second.directory == nullptr) return nullptr;
      at = found->second.directory.get();
    }
    return at;
  }
  Node* node(const std::string& path) const {
    Directory* parent = directory(parent_of(path));
    if (parent == nullptr) return nullptr;
    const auto found = parent->current.find(name_of(path));
    return found == parent->current.end() ? nullptr : &found->second;
  }
  void change_name(Directory& in, Directory::Change made) {
    made.sequence = sequence;
    make_change(made, in.current);
    in.unsynced.push_back(std::move(made));
  }
};

class MemoryFile final : public File {
 public:
  MemoryFile(std::shared_ptr<MemoryDisk::State> state, std::shared_ptr<Inode> inode,
             std::string path)
      : state_(std::move(state)),
        inode_(std::move(inode)),
        path_(std::move(path)),
        generation_(state_->generation),
        open_files_(state_->open_files) {
    ++*open_files_;
  }
  ~MemoryFile() override { --*open_files_; }

  Result<std::size_t> read_at(std::uint64_t position, MutableByteView out) const override {
    state_->call_hook(DiskOperation::read, path_);
    const std::lock_guard lock(state_->mutex);
    if (auto error = dead()) return *error;
    if (auto error = state_->look(path_)) return *error;
    const Bytes& bytes = inode_->current;
    if (position >= bytes.size()) return std::size_t{0};
    const std::size_t n = std::min<std::size_t>(out.size(), bytes.size() - position);
    std::memcpy(out.data(), bytes.data() + position, n);
    return n;
  }

  Result<void> write_at(std::uint64_t position, std::span<const ByteView> parts) override {
    state_->call_hook(DiskOperation::write, path_);
    const std::lock_guard lock(state_->mutex);
    if (auto error = dead()) return *error;
    Inode::Change change{state_->sequence, false, position, {}};
    for (const ByteView part : parts) {
      change.bytes.insert(change.bytes.end(), part.begin(), part.end());
    }
    const auto error = state_->change(path_);
    if (error) change.bytes.resize(change.bytes.size() / 2);
    const std::uint64_t end = position + change.bytes.size();
    if (end > inode_->current.size()) {
      if (*inode_->used + (end - inode_->current.size()) > state_->capacity) {
        return Error{Errc::no_space, fmt::format("{}: no space left on device", path_)};
      }
      inode_->resize(end);
    }
    std::copy(change.bytes.begin(), change.bytes.end(),
              inode_->current.begin() + static_cast<std::ptrdiff_t>(position));
    inode_->unsynced.push_back(std::move(change));
    if (error) return *error;
    return {};
  }

  Result<void> sync_data() override {
    state_->call_hook(DiskOperation::sync_data, path_);
    const std::lock_guard lock(state_->mutex);
    if (auto error = dead()) return *error;
    if (auto error = change_pages()) return *error;
    for (const Inode::Change& change : inode_->unsynced) make_change(change, inode_->durable);
    inode_->unsynced.clear();
    return {};
  }

  /// What it wrote may still be lost: in the cache of the disk, or for want of a name or a size.
  Result<void> finish_writeback(std::uint64_t, std::uint64_t) override {
    const std::lock_guard lock(state_->mutex);
    if (auto error = dead()) return *error;
    if (auto error = change_pages()) return *error;
    return {};
  }

  Result<std::uint64_t> size() const override {
    const std::lock_guard lock(state_->mutex);
    if (auto error = dead()) return *error;
    if (auto error = state_->look(path_)) return *error;
    return std::uint64_t{inode_->current.size()};
  }

  Result<void> truncate(std::uint64_t size) override {
    state_->call_hook(DiskOperation::truncate, path_);
    const std::lock_guard lock(state_->mutex);
    if (auto error = dead()) return *error;
    Inode::Change change{state_->sequence, true, size, {}};
    if (auto error = state_->change(path_)) return *error;
    inode_->resize(size);
    inode_->unsynced.push_back(std::move(change));
    return {};
  }

  Result<void> allocate(std::uint64_t size) override {
    std::uint64_t grown = 0;
    {
      const std::lock_guard lock(state_->mutex);
      if (auto error = dead()) return *error;
      if (size <= inode_->current.size()) return {};
      grown = size - inode_->current.size();
      if (*inode_->used + grown > state_->capacity) {
        return Error{Errc::no_space, fmt::format("{}: no space left on device", path_)};
      }
    }
    return truncate(size);
  }

  /// Pages that a failed sync left clean come back as the platter has them.
  void drop_cache(std::uint64_t, std::uint64_t) const override {
    const std::lock_guard lock(state_->mutex);
    if (dead() || !inode_->unsynced.empty()) return;
    inode_->resize(inode_->durable.size());
    inode_->current = inode_->durable;
  }

 private:
  std::optional<Error> change_pages() {
    auto error = state_->change(path_);
    if (error) state_->fail_sync(*inode_);
    return error;
  }
  std::optional<Error> dead() const {
    if (generation_ == state_->generation) return std::nullopt;
    return Error{Errc::io, fmt::format("{}: the file was open when the machine died", path_)};
  }

  const std::shared_ptr<MemoryDisk::State> state_;
  const std::shared_ptr<Inode> inode_;
  const std::string path_;
  const std::uint64_t generation_;
  const std::shared_ptr<std::atomic<std::size_t>> open_files_;
};

class MemoryFileSystemSync final : public FileSystemSync {
 public:
  MemoryFileSystemSync(std::shared_ptr<MemoryDisk::State> state, std::string directory)
      : state_(std::move(state)),
        directory_(std::move(directory)),
        generation_(state_->generation),
        failed_before_(state_->failed_syncs) {}

  Result<std::chrono::microseconds> sync() override {
    state_->call_hook(DiskOperation::sync_data, directory_);
    const std::lock_guard lock(state_->mutex);
    if (generation_ != state_->generation || state_->failed_syncs != failed_before_) {
      return Error{Errc::io, fmt::format("{}: a write to the disk has failed", directory_)};
    }
    for (const auto& inode : memory_disk::unsynced_files(state_->root)) {
      if (auto error = state_->change(directory_)) {
        state_->fail_sync(*inode);
        return *error;
      }
      for (const Inode::Change& change : inode->unsynced) make_change(change, inode->durable);
      inode->unsynced.clear();
    }
    return state_->sync_time;
  }

  Result<std::chrono::microseconds> sync_with_names() override {
    TRY(sync());
    const std::lock_guard lock(state_->mutex);
    for (const auto& found : memory_disk::unsynced_directories(state_->root)) {
      if (auto error = state_->change(directory_)) return *error;
      found->durable = found->current;
      found->unsynced.clear();
    }
    return state_->sync_time;
  }

  bool covers(const std::string& directory) const override {
    const std::lock_guard lock(state_->mutex);
    const Directory* const found = state_->directory(directory);
    return found != nullptr && !found->mounted;
  }

  std::uint64_t unsynced_bytes() const override {
    const std::lock_guard lock(state_->mutex);
    return state_->unsynced_bytes_of_others;
  }

 private:
  const std::shared_ptr<MemoryDisk::State> state_;
  const std::string directory_;
  const std::uint64_t generation_;
  const std::uint64_t failed_before_;
};

class MemoryLock final : public DirectoryLock {
 public:
  MemoryLock(std::shared_ptr<MemoryDisk::State> state, std::string path)
      : state_(std::move(state)), path_(std::move(path)), generation_(state_->generation) {}
  ~MemoryLock() override {
    const std::lock_guard lock(state_->mutex);
    if (generation_ == state_->generation) state_->locks.erase(path_);
  }

 private:
  const std::shared_ptr<MemoryDisk::State> state_;
  const std::string path_;
  const std::uint64_t generation_;
};

MemoryDisk::MemoryDisk() : state_(std::make_shared<State>()) {}
MemoryDisk::MemoryDisk(std::shared_ptr<State> state) : state_(std::move(state)) {}
MemoryDisk::~MemoryDisk() = default;

Result<std::shared_ptr<File>> MemoryDisk::open(const std::string& path, OpenMode mode) {
  if (mode == OpenMode::create) state_->call_hook(DiskOperation::create, path);
  const std::lock_guard lock(state_->mutex);
  if (auto error = state_->look(path)) return *error;
  if (auto error = state_->take_descriptor(path)) return *error;
  Node* node = state_->node(path);
  if (node == nullptr) {
    Directory* parent = state_->directory(parent_of(path));
    if (mode != OpenMode::create || parent == nullptr) return missing(path);
    Directory::Change change{
        0, name_of(path), Node{std::make_shared<Inode>(state_->used), nullptr}, {}};
    if (auto error = state_->change(path)) return *error;
    state_->change_name(*parent, std::move(change));
    node = state_->node(path);
  }
  if (node->file == nullptr) {
    return Error{Errc::io, fmt::format("cannot open {}: it is a directory", path)};
  }
  return std::shared_ptr<File>(std::make_shared<MemoryFile>(state_, node->file, path));
}

Result<std::vector<DirectoryEntry>> MemoryDisk::list(const std::string& directory) {
  state_->call_hook(DiskOperation::list, directory);
  const std::lock_guard lock(state_->mutex);
  if (auto error = state_->look(directory)) return *error;
  if (auto error = state_->take_descriptor(directory)) return *error;
  const Directory* found = state_->directory(directory);
  if (found == nullptr) return missing(directory);
  std::vector<DirectoryEntry> entries;
  for (const auto& [name, node] : found->current) {
    entries.push_back({name, node.directory != nullptr});
  }
  return entries;
}

Result<void> MemoryDisk::make_directory(const std::string& directory) {
  state_->call_hook(DiskOperation::make_directory, directory);
  const std::lock_guard lock(state_->mutex);
  if (auto error = state_->look(directory)) return *error;
  if (state_->directory(directory) != nullptr) return {};
  Directory* parent = state_->directory(parent_of(directory));
  if (parent == nullptr) return missing(directory);
  if (state_->node(directory) != nullptr) {
    return Error{Errc::io, fmt::format("{} is a file", directory)};
  }
  if (auto error = state_->change(directory)) return *error;
  state_->change_name(*parent,
                      {0, name_of(directory), Node{nullptr, std::make_shared<Directory>()}, {}});
  return {};
}

Result<void> MemoryDisk::make_directories(const std::string& directory) {
  const std::string parent = parent_of(directory);
  TRY_ASSIGN(const bool there, exists(directory));
  if (there) return make_directory(directory);
  if (!parent.empty()) TRY(make_directories(parent));
  TRY(make_directory(directory));
  return sync_directory(parent);
}

Result<void> MemoryDisk::rename(const std::string& from, const std::string& to) {
  state_->call_hook(DiskOperation::rename, from);
  const std::lock_guard lock(state_->mutex);
  CHECK_MSG(parent_of(from) == parent_of(to), "the fake renames within one directory only");
  const Node* node = state_->node(from);
  if (node == nullptr) return missing(from);
  const Node* replaced = state_->node(to);
  if (replaced != nullptr && replaced->directory != nullptr &&
      (node->directory == nullptr || !replaced->directory->current.empty())) {
    return Error{Errc::io, fmt::format("cannot rename {} to {}: directory not empty", from, to)};
  }
  if (auto error = state_->change(from)) return *error;
  state_->change_name(*state_->directory(parent_of(from)), {0, name_of(to), *node, name_of(from)});
  return {};
}

Result<void> MemoryDisk::remove(const std::string& path) {
  state_->call_hook(DiskOperation::remove, path);
  const std::lock_guard lock(state_->mutex);
  const Node* node = state_->node(path);
  if (node == nullptr) return missing(path);
  if (node->directory != nullptr && !node->directory->current.empty()) {
    return Error{Errc::io, fmt::format("cannot remove {}: directory not empty", path)};
  }
  if (auto error = state_->change(path)) return *error;
  state_->change_name(*state_->directory(parent_of(path)), {0, name_of(path), std::nullopt, {}});
  return {};
}

Result<bool> MemoryDisk::exists(const std::string& path) {
  const std::lock_guard lock(state_->mutex);
  if (auto error = state_->look(path)) return *error;
  return split(path).empty() || state_->node(path) != nullptr;
}

Result<void> MemoryDisk::sync_directory(const std::string& directory) {
  state_->call_hook(DiskOperation::sync_directory, directory);
  const std::lock_guard lock(state_->mutex);
  Directory* found = state_->directory(directory);
  if (found == nullptr) return missing(directory);
  if (auto error = state_->take_descriptor(directory)) return *error;
  if (auto error = state_->change(directory)) return *error;
  found->durable = found->current;
  found->unsynced.clear();
  return {};
}

Result<std::unique_ptr<FileSystemSync>> MemoryDisk::file_system_sync(const std::string& directory) {
  const std::lock_guard lock(state_->mutex);
  if (state_->directory(directory) == nullptr) return missing(directory);
  return std::unique_ptr<FileSystemSync>(std::make_unique<MemoryFileSystemSync>(state_, directory));
}

Result<DiskSpace> MemoryDisk::space(const std::string& path) {
  const std::lock_guard lock(state_->mutex);
  if (auto error = state_->look(path)) return *error;
  const std::uint64_t used = *state_->used;
  return DiskSpace{state_->capacity, used < state_->capacity ? state_->capacity - used : 0};
}

Result<std::unique_ptr<DirectoryLock>> MemoryDisk::lock(const std::string& path) {
  TRY(open(path, OpenMode::create));
  const std::lock_guard lock(state_->mutex);
  if (!state_->locks.insert(path).second) {
    return Error{Errc::busy, fmt::format("{} is locked by another process", path)};
  }
  return std::unique_ptr<DirectoryLock>(std::make_unique<MemoryLock>(state_, path));
}

void MemoryDisk::crash(Random& random, CrashModel model) {
  const std::lock_guard lock(state_->mutex);
  // A process that dies loses nothing; what was not synced stays not synced.
  if (model != CrashModel::kill) memory_disk::cut_power(state_->root, random, model);
  ++state_->generation;
  state_->open_files = std::make_shared<std::atomic<std::size_t>>(0);
  state_->locks.clear();
  state_->fail_at = never;
  state_->power_off_at = never;
  state_->struck = false;
}

std::unique_ptr<MemoryDisk> MemoryDisk::clone() const {
  const std::lock_guard lock(state_->mutex);
  auto copy = std::make_shared<State>();
  copy->sequence = state_->sequence;
  copy->capacity = state_->capacity;
  copy->root = memory_disk::copy_tree(state_->root, copy->used);
  return std::unique_ptr<MemoryDisk>(new MemoryDisk(std::move(copy)));
}

void MemoryDisk::fail_operation(std::uint64_t n, std::uint64_t seed) {
  const std::lock_guard lock(state_->mutex);
  state_->fail_at = state_->sequence + n;
  state_->failure_seed = seed;
}

void MemoryDisk::power_off_after(std::uint64_t n) {
  const std::lock_guard lock(state_->mutex);
  state_->power_off_at = state_->sequence + n;
}

bool MemoryDisk::struck() const {
  const std::lock_guard lock(state_->mutex);
  return state_->struck;
}

std::uint64_t MemoryDisk::operations() const {
  const std::lock_guard lock(state_->mutex);
  return state_->sequence;
}

void MemoryDisk::set_capacity(std::uint64_t bytes) {
  const std::lock_guard lock(state_->mutex);
  state_->capacity = bytes;
}

std::uint64_t MemoryDisk::used_bytes() const { return *state_->used; }

void MemoryDisk::set_sync_time(std::chrono::microseconds time) {
  const std::lock_guard lock(state_->mutex);
  state_->sync_time = time;
}

void MemoryDisk::mount(const std::string& directory) {
  const std::lock_guard lock(state_->mutex);
  state_->directory(directory)->mounted = true;
}

void MemoryDisk::set_unsynced_bytes_of_others(std::uint64_t bytes) {
  const std::lock_guard lock(state_->mutex);
  state_->unsynced_bytes_of_others = bytes;
}

void MemoryDisk::set_open_files_max(std::size_t count) {
  const std::lock_guard lock(state_->mutex);
  state_->open_files_max = count;
}

std::size_t MemoryDisk::open_files() const {
  const std::lock_guard lock(state_->mutex);
  return *state_->open_files;
}

void MemoryDisk::set_hook(std::function<void(DiskOperation, const std::string&)> hook) {
  const std::lock_guard lock(state_->mutex);
  state_->hook = std::move(hook);
}

void MemoryDisk::flip_bit(const std::string& path, std::uint64_t position, unsigned bit) {
  const std::lock_guard lock(state_->mutex);
  const Node* node = state_->node(path);
  CHECK(node != nullptr && node->file != nullptr && position < node->file->current.size());
  const auto mask = static_cast<std::uint8_t>(1u << bit);
  node->file->current[position] ^= mask;
  if (position < node->file->durable.size()) node->file->durable[position] ^= mask;
}

Bytes MemoryDisk::content(const std::string& path) const {
  const std::lock_guard lock(state_->mutex);
  const Node* node = state_->node(path);
  CHECK(node != nullptr && node->file != nullptr);
  return node->file->current;
}

void MemoryDisk::set_content(const std::string& path, Bytes content) {
  const std::lock_guard lock(state_->mutex);
  std::shared_ptr<Directory> at = state_->root;
  std::vector<std::string> parts = split(path);
  CHECK(!parts.empty());
  const std::string name = parts.back();
  parts.pop_back();
  for (const std::string& part : parts) {
    Node& node = at->current[part];
    if (node.directory == nullptr) node.directory = std::make_shared<Directory>();
    at->durable[part] = node;
    at = node.directory;
  }
  Node& node = at->current[name];
  if (node.file == nullptr) node.file = std::make_shared<Inode>(state_->used);
  at->durable[name] = node;
  node.file->unsynced.clear();
  node.file->resize(content.size());
  node.file->current = content;
  node.file->durable = std::move(content);
}

std::vector<std::string> MemoryDisk::files(const std::string& directory) const {
  const std::lock_guard lock(state_->mutex);
  std::vector<std::string> paths;
  std::vector<std::pair<std::string, const Directory*>> open{
      {directory, state_->directory(directory)}};
  while (!open.empty()) {
    const auto [path, at] = open.back();
    open.pop_back();
    if (at == nullptr) continue;
    for (const auto& [name, node] : at->current) {
      if (node.directory != nullptr) {
        open.emplace_back(fmt::format("{}/{}", path, name), node.directory.get());
      } else {
        paths.push_back(fmt::format("{}/{}", path, name));
      }
    }
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace chronik
