// What a MemoryDisk (base/memory_disk.h) is made of: files and directories that keep what is
// current apart from what is durable, with the changes between the two, and what a crash makes of
// them. Internal to the fake disk; its mutex guards everything here.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/memory_disk.h"
#include "base/random.h"

namespace chronik::memory_disk {

/// The space that all files of a disk take; files that are removed but still open count.
using UsedBytes = std::shared_ptr<std::atomic<std::uint64_t>>;

struct Inode {
  struct Change {
    std::uint64_t sequence = 0;
    bool truncate = false;
    std::uint64_t position = 0;  // of the write; the size, when it is a truncation
    Bytes bytes;
  };

  explicit Inode(UsedBytes used_bytes) : used(std::move(used_bytes)) {}
  Inode(const Inode& other, UsedBytes used_bytes)
      : current(other.current),
        durable(other.durable),
        unsynced(other.unsynced),
        used(std::move(used_bytes)) {
    *used += current.size();
  }
  Inode(const Inode&) = delete;
  Inode& operator=(const Inode&) = delete;
  ~Inode() { *used -= current.size(); }

  void resize(std::uint64_t size) {
    *used += size;
    *used -= current.size();
    current.resize(size);
  }

  Bytes current;
  Bytes durable;
  std::vector<Change> unsynced;
  UsedBytes used;
};

struct Directory;

struct Node {
  std::shared_ptr<Inode> file;
  std::shared_ptr<Directory> directory;
};

struct Directory {
  struct Change {
    std::uint64_t sequence = 0;
    std::string name;
    std::optional<Node> node;  // nothing: the name is removed
    std::string renamed_from;
  };

  std::map<std::string, Node> current;
  std::map<std::string, Node> durable;
  std::vector<Change> unsynced;
  bool mounted = false;  // what is in it is of another file system
};

/// Makes the change in `to`.
void make_change(const Inode::Change& change, Bytes& to);
void make_change(const Directory::Change& change, std::map<std::string, Node>& to);

/// A sync that fails while the machine lives: of the pages it should have written some are lost,
/// for good, though the cache still shows them.
void fail_sync(Inode& file, Random& random);

/// Files of the root's file system that some name leads to, now or durably, with changes that are
/// not synced.
std::vector<std::shared_ptr<Inode>> unsynced_files(const std::shared_ptr<Directory>& root);

/// Directories of the root's file system with names that are not synced.
std::vector<std::shared_ptr<Directory>> unsynced_directories(
    const std::shared_ptr<Directory>& root);

/// Leaves of everything below `root` what a power cut leaves.
void cut_power(const std::shared_ptr<Directory>& root, Random& random, CrashModel model);

/// A copy of everything below `root`, unsynced changes included.
std::shared_ptr<Directory> copy_tree(const std::shared_ptr<Directory>& root, const UsedBytes& used);

}  // namespace chronik::memory_disk
