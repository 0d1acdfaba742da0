// Recovery: from what lies in a partition's directory to the state of its log (wal/format.md,
// "Recovery"). Reads only the tail behind the checkpoint; cuts a torn tail; refuses damage. May be
// interrupted and repeated.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "wal/checkpoint.h"
#include "wal/derived_state.h"
#include "wal/epoch_cache.h"
#include "wal/log_settings.h"
#include "wal/segment.h"
#include "wal/synced_start.h"

namespace chronik::wal {

struct RecoveredLog {
  Offset start_offset = 0;
  Offset end_offset = 0;
  EntryIndex last_index = 0;
  EpochCache epochs;
  Offset first_dirty_offset = 0;
  /// Above all that the directory had.
  std::uint32_t next_generation = 1;
  std::vector<std::unique_ptr<Segment>> segments;
  bool directory_made = false;
  RecoveryReport report;
};

/// Everything the result describes is durable on return. Errors: corrupt, invalid_argument (another
/// topic's directory), unsupported, io.
Result<RecoveredLog> recover_log(Disk& disk, const std::string& directory,
                                 const LogIdentity& identity, const LogSettings& settings,
                                 DerivedState* derived,
                                 DirectorySync sync = DirectorySync::unknown);

/// What lies in a partition's directory, by kind.
struct PartitionFiles {
  bool exists = false;
  bool has_checkpoint = false;
  std::vector<Offset> logs;  // ascending; of generation 0
  std::vector<Offset> indexes;
  std::vector<SegmentName> compacted_logs;  // ascending
  std::vector<SegmentName> compacted_indexes;
  std::vector<Uuid> topic_ids;
  std::vector<std::string> others;  // neither of ours; checkpoint.new is here
};
Result<PartitionFiles> list_partition_files(Disk& disk, const std::string& directory);

/// Without a checkpoint a log begins at offset 0, and compacted segments are left-overs of a run
/// that did not finish: what they should replace is there. The first segment of which that is not
/// so: the checkpoint was lost. Errors: io.
Result<std::optional<SegmentName>> segment_without_checkpoint(Disk& disk,
                                                              const std::string& directory,
                                                              const PartitionFiles& files);
inline constexpr std::string_view checkpoint_lost =
    "the checkpoint that says how this segment belongs to the log is missing";

/// Reads the whole file. Errors: not_found, io.
Result<Bytes> read_file(Disk& disk, const std::string& path);

}  // namespace chronik::wal
