// Snapshot files of an image (metadata/format.md, "A snapshot"): written slice by slice off the
// shard, read at the start. A file under its final name is whole and durable.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "base/types.h"
#include "metadata/image.h"

namespace chronik::metadata {

struct SnapshotInfo {
  std::string path;
  EntryIndex index = 0;  // of the last entry in it
  Offset offset = 0;     // behind the last record in it
  LeaderEpoch epoch = no_leader_epoch;
  std::uint64_t events = 0;
  std::uint64_t plain_bytes = 0;
  std::uint64_t file_bytes = 0;
};

class SnapshotWriter {
 public:
  /// `epoch` is the leader epoch of the image's last entry. `disk` outlives the writer.
  SnapshotWriter(Disk& disk, std::string directory, const std::shared_ptr<const Image>& image,
                 LeaderEpoch epoch);
  ~SnapshotWriter();
  SnapshotWriter(const SnapshotWriter&) = delete;
  SnapshotWriter& operator=(const SnapshotWriter&) = delete;

  /// I/O thread. Does a small part of the work (a fraction of a MiB, at most one sync); true once
  /// the snapshot is durable under its name. Not to be called after that, nor after an error.
  /// Errors: no_space (the unfinished file is removed), io.
  Result<bool> step();

  /// Valid once step() has given true.
  const SnapshotInfo& info() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

struct LoadedSnapshot {
  SnapshotInfo info;
  std::shared_ptr<const Image> image;
};

/// Errors: corrupt (damaged, names the file), unsupported (newer format), not_found, io.
Result<LoadedSnapshot> load_snapshot(Disk& disk, const std::string& path);

struct SnapshotName {
  std::string path;
  Offset offset = 0;
};

struct FoundSnapshots {
  std::vector<SnapshotName> snapshots;  // newest first
  std::vector<std::string> unfinished;  // paths, to be removed
};

/// A directory that is not there has none. Errors: io.
Result<FoundSnapshots> find_snapshots(Disk& disk, const std::string& directory);

std::string snapshot_path(const std::string& directory, Offset offset);

}  // namespace chronik::metadata
