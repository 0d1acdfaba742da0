#include "wal/log_verify.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "protocol/record_reader.h"
#include "wal/format.h"
#include "wal/journal_replay.h"
#include "wal/journal_view.h"
#include "wal/log_directory.h"

namespace chronik::wal {

namespace {

/// Follows a scan, compares each batch with the index of its segment, counts.
class Verifier final : public ScanVisitor {
 public:
  Verifier(Disk& disk, const VerifyOptions& options, const VerifyCallbacks& callbacks,
           ScanProgress& progress, VerifyReport& report)
      : disk_(disk),
        options_(options),
        callbacks_(callbacks),
        progress_(progress),
        report_(report) {}

  Result<void> verify(const std::string& directory) {
    TRY_ASSIGN(PartitionScan scan, PartitionScan::open(disk_, directory, *this));
    ++report_.partitions;
    scan_ = &scan;
    TRY(scan.run());
    end_index();
    ++progress_.partitions_done;
    return {};
  }

  void on_segment(const std::string& file, const SegmentName& segment,
                  std::uint64_t size) override {
    end_index();
    ++report_.segments;
    report_.bytes += size;
    file_ = file;
    chain_ = 0;
    max_timestamp_ = no_timestamp;
    whole_ = true;
    load_index(segment);
  }

  void on_entry(const ScannedEntry& entry) override {
    const EntryPlace& place = *entry.place;
    ++report_.batches;
    report_.records += static_cast<std::uint64_t>(std::max(0, place.header.record_count));
    progress_.advance(place.header.size(), callbacks_.on_progress);
    compare_index(entry);
    chain_ = extend_chain(chain_, place.prefix);
    if (takes_no_offset(place.header)) return;
    if (!is_empty_batch(place.header)) {
      max_timestamp_ = std::max(max_timestamp_, place.header.max_timestamp);
    }
    if (options_.records) read_records(entry);
  }

  void on_damage(const LogDamage& damage) override {
    whole_ = false;
    if (damage.torn_tail) {
      ++report_.torn_tails;
    } else if (damage.mends_itself) {
      ++report_.damaged_indexes;
    } else {
      report_.damages.push_back(damage);
    }
    if (callbacks_.on_damage) callbacks_.on_damage(damage);
  }

 private:
  void load_index(const SegmentName& segment) {
    index_.clear();
    at_ = 0;
    if (!scan_->checkpoint().has_value()) return;
    const Checkpoint& checkpoint = *scan_->checkpoint();
    for (const SegmentFacts& facts : checkpoint.segments) {
      if (facts.name() != segment || facts.index_entries == 0) continue;
      base_offset_ = facts.base_offset;
      base_index_ = facts.base_index;
      index_file_ = scan_->directory() + "/" + segment_file_name(segment, index_suffix);
      const IndexOwner owner{checkpoint.identity.topic_id, checkpoint.identity.partition,
                             facts.base_offset, facts.base_index};
      const auto file = disk_.open(index_file_, OpenMode::read);
      if (!file) return index_damage(0, file.error().message);
      Result<std::vector<IndexEntry>> entries = read_index(**file, facts.index_entries, owner);
      if (!entries) return index_damage(0, entries.error().message);
      index_ = std::move(*entries);
    }
  }

  void compare_index(const ScannedEntry& entry) {
    const EntryPlace& place = *entry.place;
    while (at_ < index_.size() && index_[at_].position < place.position) {
      if (whole_) index_damage(at_, "it points between two batches");
      ++at_;
    }
    if (at_ == index_.size() || index_[at_].position != place.position) return;
    const IndexEntry& found = index_[at_++];
    const bool right =
        base_offset_ + found.offset_delta == place.header.base_offset &&
        (entry.index == 0 || base_index_ + found.index_delta == entry.index) &&
        (!whole_ || (found.chain == chain_ && found.max_timestamp_before == max_timestamp_));
    if (!right) index_damage(at_ - 1, "it does not agree with the segment");
  }

  void end_index() {
    if (at_ < index_.size() && whole_) index_damage(at_, "it points behind the segment");
    index_.clear();
    at_ = 0;
  }

  void index_damage(std::size_t number, const std::string& what) {
    const std::uint64_t position = index_header_bytes + number * index_entry_bytes;
    const bool was_whole = whole_;
    on_damage({.directory = scan_->directory(),
               .file = index_file_,
               .position = position,
               .what = what,
               .mends_itself = true});
    whole_ = was_whole;
  }

  void read_records(const ScannedEntry& entry) {
    const std::uint64_t position = entry.place->position;
    const auto damaged = [&](std::string what) {
      on_damage({.directory = scan_->directory(),
                 .file = file_,
                 .position = position,
                 .what = "its records: " + std::move(what),
                 .in_records = true});
    };
    batch_.resize(entry.place->header.size());
    const Result<std::size_t> read = entry.file->read_at(position, batch_);
    if (!read || *read != batch_.size()) return damaged("they cannot be read");
    Result<protocol::RecordReader> reader = protocol::RecordReader::open(batch_, scratch_);
    if (!reader) return damaged(reader.error().message);
    protocol::Record record;
    while (reader->next(record)) {
    }
    if (!reader->ok()) damaged(reader->problem());
  }

  Disk& disk_;
  const VerifyOptions& options_;
  const VerifyCallbacks& callbacks_;
  ScanProgress& progress_;
  VerifyReport& report_;
  const PartitionScan* scan_ = nullptr;
  protocol::RecordScratch scratch_;
  Bytes batch_;
  // The segment under the eye.
  std::string file_;
  std::uint32_t chain_ = 0;
  Timestamp max_timestamp_ = no_timestamp;
  bool whole_ = true;  // nothing was damaged so far
  std::string index_file_;
  Offset base_offset_ = 0;
  EntryIndex base_index_ = 0;
  std::vector<IndexEntry> index_;
  std::size_t at_ = 0;
};

}  // namespace

Result<VerifyReport> verify_logs(Disk& disk, const std::string& path, const VerifyOptions& options,
                                 const VerifyCallbacks& callbacks) {
  VerifyReport report;
  TRY_ASSIGN(const std::vector<std::string> directories, partition_directories(disk, path));
  if (const auto stamp = read_stamp(disk, path); !stamp) {
    if (stamp.error().code != Errc::corrupt) return stamp.error();
    report.damages.push_back(
        {.directory = {}, .file = stamp_path(path), .what = stamp.error().message});
    if (callbacks.on_damage) callbacks.on_damage(report.damages.back());
  }
  Result<std::unique_ptr<JournalView>> view = JournalView::open(disk, path);
  if (view) {
    report.journal_bytes = (*view)->bytes();
    report.journal_segments = (*view)->segments();
  } else if (view.error().code == Errc::corrupt) {
    report.damages.push_back(
        {.directory = {}, .file = journal_directory(path), .what = view.error().message});
    if (callbacks.on_damage) callbacks.on_damage(report.damages.back());
  } else {
    return std::move(view).error();
  }
  Disk& seen = view ? static_cast<Disk&>(**view) : disk;
  ScanProgress progress{.partitions = directories.size()};
  for (const std::string& directory : directories) {
    TRY(Verifier(seen, options, callbacks, progress, report).verify(directory));
  }
  return report;
}

std::string to_string(const LogDamage& damage) {
  const char* gravity = damage.torn_tail      ? "torn tail (cut at the next start)"
                        : damage.mends_itself ? "index damaged (made again when it is wanted)"
                                              : "DAMAGE";
  return fmt::format("{} position {}: {}: {}", damage.file, damage.position, gravity, damage.what);
}

}  // namespace chronik::wal
