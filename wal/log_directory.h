// LogDirectory: the data directory of a node: locked against a second process, stamped with the
// format, the cluster and the node, watched for space. Partition directories lie in it by name,
// <topic>-<partition>; removed ones, set aside, end in ".deleted". Opened once at the start, before
// any log; find_partitions() and paths may be used by any thread.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "base/types.h"
#include "base/uuid.h"
#include "wal/disk_space.h"
#include "wal/journal_replay.h"
#include "wal/log_settings.h"
#include "wal/synced_start.h"

namespace chronik::wal {

class Journal;

/// A node with its data directory: whose directory was lost and made anew is another one.
struct Founder {
  BrokerId node = 0;
  Uuid directory;

  auto operator<=>(const Founder&) const = default;  // NOLINT(modernize-use-nullptr): its slip
};

/// Kept in the file chronik.stamp.
struct DirectoryStamp {
  std::uint32_t format = 1;
  std::string cluster_id;  // empty: it belongs to no cluster yet
  BrokerId node_id = 0;
  Uuid directory_id;
  /// Who founded the cluster, sorted; empty where a node did so alone. A directory that is not
  /// among them came later, or in the place of one that was lost.
  std::vector<Founder> founders{};
  /// It has the metadata log of a cluster, with the votes of the node: when that is not there, it
  /// was lost.
  bool has_votes = false;

  bool operator==(const DirectoryStamp&) const = default;
};

struct FoundPartition {
  LogIdentity identity;  // topic_id is zero when the directory carries none (never acknowledged)
  std::string directory;
};

struct FoundPartitions {
  std::vector<FoundPartition> partitions;
  /// Set aside by deletions that did not finish: for GroupCommit::remove_directory.
  std::vector<std::string> deleted;
  /// Anything else: left alone, reported by the caller.
  std::vector<std::string> unknown;
};

/// "orders", 3 -> "orders-3"; and back, nothing when the name is no partition's.
std::string partition_directory_name(std::string_view topic, PartitionId partition);
std::optional<std::pair<std::string, PartitionId>> parse_partition_directory_name(
    std::string_view name);

std::string stamp_path(const std::string& data_directory);
/// Nothing when there is none. Errors: unsupported (newer format), corrupt, io.
Result<std::optional<DirectoryStamp>> read_stamp(Disk& disk, const std::string& data_directory);

class LogDirectory {
 public:
  /// Makes the directory when missing, locks it, reads its stamp, copies what the journals of the
  /// process before hold into the logs (wal/journal_replay.h), and syncs what is there
  /// (wal/synced_start.h). Errors, each one line that says what to do: busy (another process has
  /// it), unsupported (newer format), corrupt (stamp or journal damaged), io (not writable).
  static Result<std::unique_ptr<LogDirectory>> open(Disk& disk, std::string path,
                                                    SpaceLimits limits,
                                                    const TakeStates& take_states = {});

  ~LogDirectory();

  const std::string& path() const { return path_; }
  /// Nothing on a directory that was just made: then write_stamp() comes next.
  const std::optional<DirectoryStamp>& stamp() const { return stamp_; }
  /// Durable on return. Errors: io, no_space.
  Result<void> write_stamp(DirectoryStamp stamp);
  /// Refuses a directory of another cluster (unless it is of none yet) or of another node: the
  /// error names both values and the ways out.
  Result<void> check_stamp(std::string_view cluster_id, BrokerId node_id) const;

  std::string partition_path(std::string_view topic, PartitionId partition) const;
  /// One look at the directory; topic ids are read from each partition (a listing each). What is
  /// found deleted is durably so. Errors: io.
  Result<FoundPartitions> find_partitions() const;
  /// Of a start, before the process makes any partition. One without a topic id was only begun by a
  /// process that died; later it may be one that is being made at that moment. Set aside, durably.
  Result<FoundPartitions> begin_partitions();
  /// Whether the directory is still that partition's: one of another topic may have its name by
  /// now.
  Result<bool> has(const FoundPartition& partition) const;
  /// As find_partitions(), without topic ids: one listing in all.
  Result<FoundPartitions> list_partitions() const;
  /// Renames the directory of a partition that no longer exists aside, durably. Returns its new
  /// path, for GroupCommit::remove_directory. Errors: io.
  Result<std::string> set_aside(const FoundPartition& partition);

  SpaceGuard& space() { return *space_; }
  /// Of what was found by open().
  SyncedStart& synced_start() { return *synced_start_; }

  /// Makes the journals of so many shards, which share `bytes_max`; 0: there are none. Once, before
  /// any log is opened. Errors: io, no_space, busy.
  Result<void> begin_journals(std::uint32_t shards, std::uint64_t bytes_max,
                              std::uint64_t append_bytes_max);
  /// Of a shard; nullptr where there is none.
  Journal* journal(std::uint32_t shard) const;

 private:
  friend class PlaceClaim;

  LogDirectory(Disk& disk, std::string path, std::unique_ptr<DirectoryLock> lock,
               std::unique_ptr<SpaceGuard> space);
  Result<void> sync_found();

  Disk& disk_;
  const std::string path_;
  std::unique_ptr<DirectoryLock> lock_;
  std::unique_ptr<SpaceGuard> space_;
  std::optional<DirectoryStamp> stamp_;
  std::unique_ptr<SyncedStart> synced_start_ = std::make_unique<SyncedStart>();
  bool one_file_system_ = true;  // has all partitions that were found
  std::vector<std::unique_ptr<Journal>> journals_;
  std::mutex claims_mutex_;
  std::set<std::string> claimed_;
};

/// The directory of a partition while it is opened. Two topics of one name, of which one is
/// deleted, may be on different shards, and the shard of the deleted one may not have heard of
/// that: each would find the place free, and both would make their files in it. On any thread.
class PlaceClaim {
 public:
  PlaceClaim(LogDirectory& directory, std::string path);
  ~PlaceClaim();
  PlaceClaim(const PlaceClaim&) = delete;
  PlaceClaim& operator=(const PlaceClaim&) = delete;

  /// False: another shard is about to open it.
  bool holds() const { return holds_; }

 private:
  LogDirectory& directory_;
  const std::string path_;
  bool holds_ = false;
};

}  // namespace chronik::wal
