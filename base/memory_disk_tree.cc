#include "base/memory_disk_tree.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <set>

namespace chronik::memory_disk {

void make_change(const Inode::Change& change, Bytes& to) {
  if (change.truncate) {
    to.resize(change.position);
    return;
  }
  const std::uint64_t end = change.position + change.bytes.size();
  if (to.size() < end) to.resize(end);
  std::copy(change.bytes.begin(), change.bytes.end(),
            to.begin() + static_cast<std::ptrdiff_t>(change.position));
}

void make_change(const Directory::Change& change, std::map<std::string, Node>& to) {
  if (!change.renamed_from.empty()) to.erase(change.renamed_from);
  if (change.node.has_value()) {
    to[change.name] = *change.node;
  } else {
    to.erase(change.name);
  }
}

namespace {

/// Calls visit(sector, begin, end) for the part of each sector that a write covers.
template <class Visit>
void for_each_sector(const Inode::Change& change, Visit visit) {
  const std::uint64_t end = change.position + change.bytes.size();
  for (std::uint64_t at = change.position; at < end;) {
    const std::uint64_t sector = at / MemoryDisk::sector_bytes;
    const std::uint64_t sector_end = std::min(end, (sector + 1) * MemoryDisk::sector_bytes);
    visit(sector, at, sector_end);
    at = sector_end;
  }
}

/// Applies the sectors of a write for which keep(sector) says so.
template <class Keep>
void apply_sectors(const Inode::Change& change, Bytes& to, Keep keep) {
  for_each_sector(change, [&](std::uint64_t sector, std::uint64_t begin, std::uint64_t end) {
    if (!keep(sector)) return;
    if (to.size() < end) to.resize(end);
    std::memcpy(to.data() + begin, change.bytes.data() + (begin - change.position), end - begin);
  });
}

enum class Mounts { crossed, left_out };

/// Every file and directory that some name leads to, now or durably, each once.
struct Reachable {
  std::vector<std::shared_ptr<Inode>> files;
  std::vector<std::shared_ptr<Directory>> directories;

  explicit Reachable(const std::shared_ptr<Directory>& root, Mounts mounts = Mounts::crossed)
      : mounts_(mounts) {
    visit(root);
  }

  void visit(const std::shared_ptr<Directory>& directory) {
    if (directory->mounted && mounts_ == Mounts::left_out) return;
    if (!seen_.insert(directory.get()).second) return;
    directories.push_back(directory);
    for (const auto& [name, node] : directory->current) visit(node);
    for (const auto& [name, node] : directory->durable) visit(node);
    for (const Directory::Change& change : directory->unsynced) {
      if (change.node.has_value()) visit(*change.node);
    }
  }
  void visit(const Node& node) {
    if (node.directory != nullptr) visit(node.directory);
    if (node.file != nullptr && seen_.insert(node.file.get()).second) files.push_back(node.file);
  }

 private:
  const Mounts mounts_;
  std::set<const void*> seen_;
};

constexpr std::uint64_t no_cut = std::numeric_limits<std::uint64_t>::max();

/// Decides, for one crash, what of the unsynced survives.
class Survival {
 public:
  Survival(const Reachable& reachable, Random& random, CrashModel model)
      : random_(random), model_(model) {
    std::vector<std::uint64_t> sequences;
    for (const auto& file : reachable.files) {
      for (const Inode::Change& change : file->unsynced) sequences.push_back(change.sequence);
    }
    for (const auto& directory : reachable.directories) {
      for (const Directory::Change& change : directory->unsynced) {
        sequences.push_back(change.sequence);
      }
    }
    std::sort(sequences.begin(), sequences.end());
    const std::uint64_t pick = random.below(sequences.size() + 1);
    cut_ = pick == sequences.size() ? no_cut : sequences[pick];
    // Of the sectors and names of one crash, none, few, half, most or all survive.
    keep_quarters_ = random.below(5);
  }

  void decide(Inode& file) {
    versions_.clear();
    for (const Inode::Change& change : file.unsynced) decide(change, file);
    file.unsynced.clear();
    file.resize(file.durable.size());
    file.current = file.durable;
  }
  void decide(Directory& directory) {
    for (const Directory::Change& change : directory.unsynced) {
      if (keep_whole(change.sequence)) make_change(change, directory.durable);
    }
    directory.unsynced.clear();
    directory.current = directory.durable;
  }

 private:
  bool keep_one() { return random_.below(4) < keep_quarters_; }
  bool keep_whole(std::uint64_t sequence) {
    return model_ == CrashModel::ordered ? sequence < cut_ : keep_one();
  }
  void decide(const Inode::Change& change, Inode& file) {
    Bytes& to = file.durable;
    if (model_ == CrashModel::ordered && change.sequence < cut_) {
      make_change(change, to);
    } else if (model_ == CrashModel::ordered && change.sequence == cut_ && !change.truncate) {
      std::uint64_t sectors = random_.below(change.bytes.size() / MemoryDisk::sector_bytes + 2);
      apply_sectors(change, to, [&](std::uint64_t) { return sectors != 0 && sectors-- != 0; });
      grow(change, to);
    } else if (model_ == CrashModel::reordered && change.truncate) {
      if (keep_one()) make_change(change, to);
    } else if (model_ == CrashModel::reordered) {
      apply_sectors(change, to, [&](std::uint64_t sector) {
        return change.sequence < version_of(sector, file);
      });
      grow(change, to);
    }
  }
  /// A sector goes to the disk as it is at some time: with all that was written into it before.
  std::uint64_t version_of(std::uint64_t sector, const Inode& file) {
    const auto [found, chosen] = versions_.try_emplace(sector, no_cut);
    if (chosen && !keep_one()) {
      found->second = file.unsynced[random_.below(file.unsynced.size())].sequence;
    }
    return found->second;
  }
  /// The new size may be durable without the bytes: they read as zeros.
  void grow(const Inode::Change& change, Bytes& to) {
    const std::uint64_t end = change.position + change.bytes.size();
    if (to.size() < end && random_.one_in(4)) to.resize(end);
  }

  Random& random_;
  const CrashModel model_;
  std::uint64_t cut_ = no_cut;
  std::uint64_t keep_quarters_ = 0;
  std::map<std::uint64_t, std::uint64_t> versions_;  // of the sectors of one file
};

}  // namespace

void fail_sync(Inode& file, Random& random) {
  const bool size_stays = random.one_in(2);
  const std::uint64_t keep_quarters = random.below(4);
  std::uint64_t size = file.durable.size();
  std::map<std::uint64_t, bool> kept;  // of all writes into a sector, or of none
  std::vector<Inode::Change> left;
  for (Inode::Change& change : file.unsynced) {
    if (change.truncate) {
      size = change.position;
      left.push_back(std::move(change));
      continue;
    }
    const std::uint64_t end = change.position + change.bytes.size();
    if (size_stays) size = std::max(size, end);
    for_each_sector(change, [&](std::uint64_t sector, std::uint64_t begin, std::uint64_t stop) {
      const auto [found, fresh] = kept.try_emplace(sector, false);
      if (fresh) found->second = random.below(4) < keep_quarters;
      stop = std::min(stop, size);
      if (!found->second || begin >= stop) return;
      const auto from = change.bytes.begin() + static_cast<std::ptrdiff_t>(begin - change.position);
      const auto count = static_cast<std::ptrdiff_t>(stop - begin);
      left.push_back({change.sequence, false, begin, Bytes(from, from + count)});
    });
    // A write of nothing at the end: the size without the bytes.
    if (size_stays) left.push_back({change.sequence, false, end, {}});
  }
  file.unsynced = std::move(left);
}

std::vector<std::shared_ptr<Inode>> unsynced_files(const std::shared_ptr<Directory>& root) {
  std::vector<std::shared_ptr<Inode>> files = Reachable(root, Mounts::left_out).files;
  std::erase_if(files, [](const auto& file) { return file->unsynced.empty(); });
  return files;
}

std::vector<std::shared_ptr<Directory>> unsynced_directories(
    const std::shared_ptr<Directory>& root) {
  std::vector<std::shared_ptr<Directory>> directories =
      Reachable(root, Mounts::left_out).directories;
  std::erase_if(directories, [](const auto& directory) { return directory->unsynced.empty(); });
  return directories;
}

void cut_power(const std::shared_ptr<Directory>& root, Random& random, CrashModel model) {
  const Reachable reachable(root);
  Survival survival(reachable, random, model);
  for (const auto& file : reachable.files) survival.decide(*file);
  for (const auto& directory : reachable.directories) survival.decide(*directory);
}

std::shared_ptr<Directory> copy_tree(const std::shared_ptr<Directory>& root,
                                     const UsedBytes& used) {
  const Reachable reachable(root);
  std::map<const void*, Node> copies;
  for (const auto& file : reachable.files) {
    copies[file.get()].file = std::make_shared<Inode>(*file, used);
  }
  for (const auto& directory : reachable.directories) {
    copies[directory.get()].directory = std::make_shared<Directory>();
  }
  const auto copy_of = [&](const Node& node) {
    const void* original =
        node.file != nullptr ? static_cast<const void*>(node.file.get()) : node.directory.get();
    return copies.at(original);
  };
  for (const auto& directory : reachable.directories) {
    Directory& made = *copies.at(directory.get()).directory;
    made.mounted = directory->mounted;
    for (const auto& [name, node] : directory->current) made.current[name] = copy_of(node);
    for (const auto& [name, node] : directory->durable) made.durable[name] = copy_of(node);
    for (const Directory::Change& change : directory->unsynced) {
      made.unsynced.push_back(change);
      if (change.node.has_value()) made.unsynced.back().node = copy_of(*change.node);
    }
  }
  return copies.at(root.get()).directory;
}

}  // namespace chronik::memory_disk
