// UnsyncedFiles: files of which a journal has something that the disk may lack, by the first of
// its frames that is needed for each. Owned by a JournalCommit, on its shard.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace chronik::wal {

class UnsyncedFiles {
 public:
  /// Frame `lsn` and later ones have something of the file.
  void add(const std::string& path, std::uint64_t lsn);
  /// The first frame that is needed.
  std::optional<std::uint64_t> first() const;
  /// Those that are needed longest, at most so many; end_sync() comes next.
  std::vector<std::string> begin_sync(std::size_t count_max);
  /// `synced`: that they lack nothing any more of what they had at begin_sync().
  void end_sync(const std::vector<std::string>& paths, bool synced);
  std::size_t size() const { return files_.size(); }
  bool empty() const { return files_.empty(); }

 private:
  struct Need {
    std::uint64_t from = 0;  // of which no sync is under way; 0: nothing
    std::uint64_t syncing = 0;
  };
  using Files = std::unordered_map<std::string, Need>;
  using Order = std::multimap<std::uint64_t, const std::string*>;

  void forget(const std::string& path, std::uint64_t lsn);

  Files files_;
  Order order_;  // each `from` and `syncing`; the keys of files_
};

}  // namespace chronik::wal
