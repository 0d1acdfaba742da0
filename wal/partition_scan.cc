#include "wal/partition_scan.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "wal/format.h"
#include "wal/log_directory.h"

namespace chronik::wal {

Result<PartitionScan> PartitionScan::open(Disk& disk, std::string directory, ScanVisitor& visitor) {
  PartitionScan scan(disk, std::move(directory), visitor);
  TRY_ASSIGN(scan.files_, list_partition_files(disk, scan.directory_));
  if (!scan.files_.exists) {
    return Error{Errc::not_found, fmt::format("{}: no such directory", scan.directory_)};
  }
  if (scan.files_.topic_ids.size() > 1) {
    scan.damage(scan.directory_, 0, "it carries the ids of several topics");
  }
  if (!scan.files_.has_checkpoint) {
    TRY_ASSIGN(const auto lost, segment_without_checkpoint(disk, scan.directory_, scan.files_));
    if (lost.has_value()) {
      scan.damage(scan.path(*lost, log_suffix), 0, std::string(checkpoint_lost));
    }
    if (!scan.files_.logs.empty() && scan.files_.topic_ids.empty()) {
      scan.damage(scan.directory_, 0, "neither a checkpoint nor a .topic file says whose it is");
    }
    return scan;
  }
  const std::string file = scan.directory_ + "/" + std::string(checkpoint_file);
  TRY_ASSIGN(const Bytes bytes, read_file(disk, file));
  Result<Checkpoint> checkpoint = decode_checkpoint(bytes, file);
  if (!checkpoint) {
    scan.damage(file, 0, checkpoint.error().message);
    return scan;
  }
  const auto& ids = scan.files_.topic_ids;
  if (!ids.empty() &&
      std::find(ids.begin(), ids.end(), checkpoint->identity.topic_id) == ids.end()) {
    scan.damage(file, 0,
                fmt::format("the checkpoint is of topic id {}, the directory of {}",
                            checkpoint->identity.topic_id.to_string(), ids.front().to_string()));
  }
  scan.checkpoint_ = std::move(*checkpoint);
  return scan;
}

std::string PartitionScan::path(SegmentName segment, std::string_view suffix) const {
  return directory_ + "/" + segment_file_name(segment, suffix);
}

const SegmentFacts* PartitionScan::saved(const SegmentName& segment) const {
  if (!checkpoint_.has_value()) return nullptr;
  for (const SegmentFacts& facts : checkpoint_->segments) {
    if (facts.name() == segment) return &facts;
  }
  return nullptr;
}

/// Which files are the log: those that the checkpoint names and those behind it.
void PartitionScan::find_segments() {
  if (!checkpoint_.has_value()) {
    // Where what compaction has replaced is gone, its work counts, and all of it before that place:
    // a log begins with its compacted segments.
    const std::vector<SegmentName>& compacted = files_.compacted_logs;
    Offset compacted_to = -1;
    for (const SegmentName& name : compacted) {
      const bool there =
          std::binary_search(files_.logs.begin(), files_.logs.end(), name.base_offset);
      if (!there) compacted_to = name.base_offset;
    }
    for (const Offset base : files_.logs) {
      if (base > compacted_to || base < compacted.front().base_offset) segments_.push_back({base});
    }
    segments_.insert(segments_.end(), compacted.begin(), compacted.end());
    std::sort(segments_.begin(), segments_.end());
    const auto same = [](const SegmentName& a, const SegmentName& b) {
      return a.base_offset == b.base_offset;
    };
    segments_.erase(std::unique(segments_.begin(), segments_.end(), same), segments_.end());
    return;
  }
  // What retention or compaction has not removed yet is no part of the log.
  const std::vector<SegmentFacts>& saved = checkpoint_->segments;
  for (const SegmentFacts& facts : saved) {
    const bool there =
        facts.compacted()
            ? std::binary_search(files_.compacted_logs.begin(), files_.compacted_logs.end(),
                                 facts.name())
            : std::binary_search(files_.logs.begin(), files_.logs.end(), facts.base_offset);
    if (there) segments_.push_back(facts.name());
    if (!there && facts.size_bytes != 0) {
      damage(path(facts.name(), log_suffix), 0, "the segment is missing");
    }
  }
  const bool ends_compacted = !saved.empty() && saved.back().compacted();
  const Offset behind =
      saved.empty() || ends_compacted ? checkpoint_->end_offset : saved.back().base_offset + 1;
  for (const Offset base : files_.logs) {
    if (base >= behind) segments_.push_back({base});
  }
}

void PartitionScan::damage(std::string file, std::uint64_t position, std::string what) {
  visitor_.on_damage({.directory = directory_,
                      .file = std::move(file),
                      .position = position,
                      .what = std::move(what)});
}

Result<void> PartitionScan::run() {
  find_segments();
  next_index_ = 1;
  if (checkpoint_.has_value()) {
    next_index_ = checkpoint_->segments.empty() ? checkpoint_->last_index + 1
                                                : checkpoint_->segments[0].base_index;
    if (checkpoint_->segments.empty()) next_offset_ = checkpoint_->end_offset;
  }
  TRY(drop_empty_files());
  const SegmentName* before = nullptr;
  for (const SegmentName& segment : segments_) {
    // Without a checkpoint: what the compacted segment before it already covers.
    const bool covered = !checkpoint_.has_value() && next_offset_.has_value() &&
                         segment.base_offset < *next_offset_ && before != nullptr &&
                         before->generation != 0;
    if (covered) continue;
    TRY(scan_segment(segment, segment == segments_.back()));
    before = &segment;
  }
  return {};
}

/// A start removes them before it judges what comes before them.
Result<void> PartitionScan::drop_empty_files() {
  std::vector<SegmentName> kept;
  for (const SegmentName& segment : segments_) {
    TRY_ASSIGN(const auto file, disk_.open(path(segment, log_suffix), OpenMode::read));
    TRY_ASSIGN(const std::uint64_t size, file->size());
    if (size != 0 || saved(segment) != nullptr) kept.push_back(segment);
  }
  segments_ = std::move(kept);
  return {};
}

Result<void> PartitionScan::scan_segment(const SegmentName& segment, bool last) {
  const Offset base_offset = segment.base_offset;
  file_ = path(segment, log_suffix);
  TRY_ASSIGN(const auto file, disk_.open(file_, OpenMode::read));
  TRY_ASSIGN(const std::uint64_t size, file->size());
  const SegmentFacts* facts = saved(segment);
  visitor_.on_segment(file_, segment, size);
  if (next_offset_.has_value() && *next_offset_ != base_offset) {
    damage(file_, 0, fmt::format("the segment should begin at offset {}", *next_offset_));
    next_index_.reset();
  }
  next_offset_ = base_offset;
  if (facts != nullptr) next_index_ = facts->base_index;
  const std::uint64_t known = facts != nullptr ? facts->size_bytes : 0;
  const bool sealed =
      facts != nullptr && (facts->compacted() || facts != &checkpoint_->segments.back());
  if (size < known || (sealed && size != known)) {
    damage(file_, size, fmt::format("the segment has {} bytes, {} were synced", size, known));
  }
  ScanBuffer buffer(*file, size);
  load_index(facts);
  bool whole = true;
  for (std::uint64_t position = 0; position < size;) {
    if (facts != nullptr && position == known && whole) {
      check_chain(*facts);
      check_saved_end(*facts, file_);
    }
    // Compaction leaves gaps, but the last batch of a segment always ends where the next begins.
    const bool exact = next_offset_.has_value() && segment.generation == 0;
    const ExpectedEntry expected{next_offset_.value_or(0), exact, epoch_};
    TRY_ASSIGN(const CheckedEntry checked, check_entry(buffer, position, expected));
    if (!checked.good()) {
      TRY_ASSIGN(position, step_over(buffer, checked, known, last));
      whole = false;
      continue;
    }
    const EntryPlace& place = checked.place;
    note_good_chain(position);
    chain_ = extend_chain(chain_, place.prefix);
    visitor_.on_entry({&place, next_index_.value_or(0), file.get()});
    next_offset_ = place.header.next_offset();
    if (next_index_.has_value()) ++*next_index_;
    epoch_ = place.header.leader_epoch;
    position = place.end();
  }
  if (facts != nullptr && known == size && whole) {
    check_chain(*facts);
    check_saved_end(*facts, file_);
  }
  return {};
}

/// The index knows the chain at many places, so that damage need not cost the whole segment.
void PartitionScan::load_index(const SegmentFacts* facts) {
  chain_ = 0;
  chain_good_to_ = 0;
  index_.clear();
  if (facts == nullptr || facts->index_entries == 0) return;
  const LogIdentity& identity = checkpoint_->identity;
  const auto file = disk_.open(path(facts->name(), index_suffix), OpenMode::read);
  if (!file) return;
  Result<std::vector<IndexEntry>> entries =
      read_index(**file, facts->index_entries,
                 {identity.topic_id, identity.partition, facts->base_offset, facts->base_index});
  if (!entries) return;
  index_ = std::move(*entries);
  std::reverse(index_.begin(), index_.end());
}

void PartitionScan::note_good_chain(std::uint64_t position) {
  while (!index_.empty() && index_.back().position < position) index_.pop_back();
  if (index_.empty() || index_.back().position != position) return;
  if (index_.back().chain == chain_) chain_good_to_ = position;
}

void PartitionScan::check_chain(const SegmentFacts& facts) {
  if (chain_ == facts.chain) return;
  damage(file_, chain_good_to_,
         "a base offset, length or leader epoch was changed here or behind (chain checksum)");
}

void PartitionScan::check_saved_end(const SegmentFacts& facts, const std::string& file) {
  const bool last = &facts == &checkpoint_->segments.back();
  if (!last || !next_offset_.has_value() || *next_offset_ == checkpoint_->end_offset) return;
  damage(file, facts.size_bytes,
         fmt::format("the checkpoint says that offset {} comes here, it is {}",
                     checkpoint_->end_offset, *next_offset_));
}

/// Reports a bad entry; the position of the next good one, or the end of the file.
Result<std::uint64_t> PartitionScan::step_over(ScanBuffer& buffer, const CheckedEntry& bad,
                                               std::uint64_t known, bool last) {
  const std::uint64_t position = bad.place.position;
  LogDamage found{
      .directory = directory_, .file = file_, .position = position, .what = bad.problem};
  if (bad.conflicts && position < known && chain_good_to_ < position) {
    found.position = chain_good_to_;
    found.what = fmt::format(
        "between here and position {} a base offset or leader epoch was "
        "changed: of the batch there {}",
        position, bad.problem);
  }
  std::optional<std::uint64_t> behind;
  if (position >= known && last) {
    TRY_ASSIGN(const BadEntry judged, judge_bad_entry(buffer, position, next_offset_.value_or(0)));
    found.torn_tail = judged.torn;
    behind = judged.behind;
  }
  if (!behind.has_value() || *behind == position) {
    TRY_ASSIGN(behind, find_entry_behind(buffer, position + 1, {next_offset_.value_or(0), false}));
  }
  visitor_.on_damage(found);
  next_offset_.reset();
  next_index_.reset();
  epoch_ = no_leader_epoch;
  return found.torn_tail ? buffer.file_size() : behind.value_or(buffer.file_size());
}

Result<std::vector<std::string>> partition_directories(Disk& disk, const std::string& path) {
  std::string directory = path;
  while (directory.size() > 1 && directory.ends_with('/')) directory.pop_back();
  TRY_ASSIGN(const PartitionFiles files, list_partition_files(disk, directory));
  if (!files.exists) return Error{Errc::not_found, fmt::format("{}: no such directory", directory)};
  if (files.has_checkpoint || !files.logs.empty() || !files.topic_ids.empty()) {
    return std::vector<std::string>{directory};
  }
  TRY_ASSIGN(const auto entries, disk.list(directory));
  std::vector<std::string> found;
  for (const DirectoryEntry& entry : entries) {
    if (entry.is_directory && !entry.name.ends_with(deleted_suffix) &&
        parse_partition_directory_name(entry.name).has_value()) {
      found.push_back(directory + "/" + entry.name);
    }
  }
  if (found.empty() &&
      std::none_of(entries.begin(), entries.end(),
                   [](const DirectoryEntry& entry) { return entry.name == "chronik.stamp"; })) {
    return Error{Errc::invalid_argument,
                 fmt::format("{}: neither a data directory nor the directory of a partition "
                             "(<topic>-<number>)",
                             directory)};
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace chronik::wal
