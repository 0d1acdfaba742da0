// PartitionScan: reads everything in a partition's directory as it lies there, damage included, for
// those who look at a log from outside: dump, verify, repair. Changes nothing. The log should not
// be in use, or its last entries may look torn.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "wal/batch_scan.h"
#include "wal/checkpoint.h"
#include "wal/recovery.h"
#include "wal/segment_index.h"

namespace chronik::wal {

struct LogDamage {
  std::string directory;  // of the partition; empty when it is the data directory's own file
  std::string file;
  /// Where it is; of a changed base offset or epoch, which only a checksum over many batches shows,
  /// a place before it up to which nothing is damaged.
  std::uint64_t position = 0;
  std::string what;
  /// A write that was under way when the process or the machine died: cut at the next start.
  bool torn_tail = false;
  /// Made again by itself: an index.
  bool mends_itself = false;
  /// The batch is whole, its records cannot be read: stops no start, but consumers.
  bool in_records = false;
};

/// How far a scan of one or more partitions is; told every few MiB.
struct ScanProgress {
  static constexpr std::uint64_t step_bytes = 16u << 20;

  std::uint64_t partitions_done = 0;
  std::uint64_t partitions = 0;
  std::uint64_t bytes = 0;  // read so far

  /// Tells `told` when a step is full.
  void advance(std::uint64_t read, const std::function<void(const ScanProgress&)>& told) {
    const std::uint64_t steps = bytes / step_bytes;
    bytes += read;
    if (told && bytes / step_bytes != steps) told(*this);
  }
};
using OnProgress = std::function<void(const ScanProgress&)>;

/// An entry that is good.
struct ScannedEntry {
  const EntryPlace* place = nullptr;
  EntryIndex index = 0;  // 0: not known, for damage or a missing checkpoint came before
  const File* file = nullptr;
};

/// Called in the order of the log.
class ScanVisitor {
 public:
  virtual ~ScanVisitor() = default;
  virtual void on_segment(const std::string& /*file*/, const SegmentName& /*segment*/,
                          std::uint64_t /*size*/) {}
  virtual void on_entry(const ScannedEntry& entry) = 0;
  virtual void on_damage(const LogDamage& damage) = 0;
};

class PartitionScan {
 public:
  /// Reads the directory and its checkpoint. `damages` takes what is wrong with these. Errors: io,
  /// not_found.
  static Result<PartitionScan> open(Disk& disk, std::string directory, ScanVisitor& visitor);

  /// Reads all segments. Errors: io.
  Result<void> run();

  const std::string& directory() const { return directory_; }
  const PartitionFiles& files() const { return files_; }
  /// The log in order, as far as its files are there. Without a checkpoint: of the files that cover
  /// the same offsets those that compaction has replaced, or was about to, as long as they are
  /// there.
  const std::vector<SegmentName>& segments() const { return segments_; }
  /// Nothing when there is none, or a damaged one.
  const std::optional<Checkpoint>& checkpoint() const { return checkpoint_; }

 private:
  PartitionScan(Disk& disk, std::string directory, ScanVisitor& visitor)
      : disk_(disk), directory_(std::move(directory)), visitor_(visitor) {}

  std::string path(SegmentName segment, std::string_view suffix) const;
  const SegmentFacts* saved(const SegmentName& segment) const;
  void find_segments();
  void damage(std::string file, std::uint64_t position, std::string what);
  Result<void> drop_empty_files();
  Result<void> scan_segment(const SegmentName& segment, bool last);
  Result<std::uint64_t> step_over(ScanBuffer& buffer, const CheckedEntry& bad, std::uint64_t known,
                                  bool last);
  void check_saved_end(const SegmentFacts& facts, const std::string& file);
  void load_index(const SegmentFacts* facts);
  void note_good_chain(std::uint64_t position);
  void check_chain(const SegmentFacts& facts);

  Disk& disk_;
  std::string directory_;
  ScanVisitor& visitor_;
  PartitionFiles files_;
  std::optional<Checkpoint> checkpoint_;
  std::vector<SegmentName> segments_;
  // What the next entry should be; nothing after damage, until an entry was found again.
  std::optional<Offset> next_offset_;
  std::optional<EntryIndex> next_index_;
  LeaderEpoch epoch_ = no_leader_epoch;
  // Of the segment under the eye.
  std::string file_;
  std::uint32_t chain_ = 0;
  std::vector<IndexEntry> index_;    // what is left of it
  std::uint64_t chain_good_to_ = 0;  // by the index
};

/// The partition directories that a path names: itself, or those in a data directory. Errors: io,
/// not_found, invalid_argument (neither one nor the other).
Result<std::vector<std::string>> partition_directories(Disk& disk, const std::string& path);

}  // namespace chronik::wal
