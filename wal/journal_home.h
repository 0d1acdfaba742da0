// Where the journals of a data directory are: the names of their files, and the epoch, a number
// that says which of their frames count. Each start changes it: frames of before are void from then
// on.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/result.h"

namespace chronik::wal {

struct JournalFileName {
  std::uint32_t shard = 0;
  std::uint64_t number = 0;

  // NOLINTNEXTLINE(modernize-use-nullptr): the compiler's comparison with 0, no pointer
  auto operator<=>(const JournalFileName&) const = default;
};

std::string journal_directory(const std::string& data_directory);
/// {1, 2} -> "1-2"; and back, nothing when the name is another's.
std::string journal_file_name(JournalFileName name);
std::optional<JournalFileName> parse_journal_file_name(std::string_view name);
/// In order. Errors: not_found (there is no directory), io.
Result<std::vector<JournalFileName>> list_journal_files(Disk& disk,
                                                        const std::string& data_directory);
/// Errors: io, corrupt, unsupported (a newer format).
Result<std::uint64_t> read_journal_epoch(Disk& disk, const std::string& data_directory);
/// In one step, durable on return. Errors: io, no_space.
Result<void> write_journal_epoch(Disk& disk, const std::string& data_directory,
                                 std::uint64_t epoch);
/// With what to do about it.
Error journal_damaged(const std::string& file, const std::string& what);

/// Where the journals of a process are: the directory, and the epoch of their frames. Made with the
/// first file of any of them, so that a broker without use for a journal does not wait for one.
class JournalHome {
 public:
  JournalHome(Disk& disk, std::string data_directory, std::uint64_t epoch, bool made);

  Disk& disk() const { return disk_; }
  const std::string& data_directory() const { return data_directory_; }
  std::uint64_t epoch() const { return epoch_; }
  std::string path(JournalFileName name) const;
  /// On any thread: the directory and the epoch are durable on return. Errors: io, no_space.
  Result<void> make();
  /// The directory's name and those in it, files too, are durable on return. Errors: io, busy.
  Result<void> sync_names() const;

 private:
  Disk& disk_;
  const std::string data_directory_;
  const std::uint64_t epoch_;
  std::mutex mutex_;
  bool made_;
};

/// For so many shards; what others left is removed. The epoch is drawn from `seed` where it is the
/// first one: no epoch of another journal that the directory ever had. Behind replay_journals().
/// Errors: io, no_space.
Result<std::shared_ptr<JournalHome>> begin_journals(Disk& disk, const std::string& data_directory,
                                                    std::uint32_t shards, std::uint64_t seed);
/// There are to be none. Behind replay_journals(). Errors: io.
Result<void> remove_journals(Disk& disk, const std::string& data_directory);

}  // namespace chronik::wal
