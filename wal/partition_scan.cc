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

std::string PartitionScan::path(Offset base_offset, std::string_view suffix) const {
  return directory_ + "/" + segment_file_name(base_offset, suffix);
}

const SegmentFacts* PartitionScan::saved(Offset base_offset) const {
  if (!checkpoint_.has_value()) return nullptr;
  for (const SegmentFacts& facts : checkpoint_->segments) {
    if (facts.base_offset == base_offset) return &facts;
  }
  return nullptr;
}

void PartitionScan::damage(std::string file, std::uint64_t position, std::string what) {
  visitor_.on_damage({.directory = directory_,
                      .file = std::move(file),
                      .position = position,
                      .what = std::move(what)});
}

Result<void> PartitionScan::run() {
  std::vector<Offset> bases = files_.logs;
  if (checkpoint_.has_value()) {
    // What retention has not removed yet is no part of the log.
    const Offset first = checkpoint_->segments.empty() ? checkpoint_->end_offset
                                                       : checkpoint_->segments[0].base_offset;
    std::erase_if(bases, [&](Offset base) { return base < first; });
    for (const SegmentFacts& facts : checkpoint_->segments) {
      const bool there = std::binary_search(bases.begin(), bases.end(), facts.base_offset);
      if (!there && facts.size_bytes != 0) {
        damage(path(facts.base_offset, log_suffix), 0, "the segment is missing");
      }
    }
    next_index_ = checkpoint_->segments.empty() ? checkpoint_->last_index + 1
                                                : checkpoint_->segments[0].base_index;
    if (checkpoint_->segments.empty()) next_offset_ = checkpoint_->end_offset;
  } else {
    next_index_ = 1;
  }
  TRY(drop_empty_files(bases));
  for (std::size_t i = 0; i < bases.size(); ++i) {
    TRY(scan_segment(bases[i], i + 1 == bases.size()));
  }
  return {};
}

/// A start removes them before it judges what comes before them.
Result<void> PartitionScan::drop_empty_files(std::vector<Offset>& bases) const {
  std::vector<Offset> kept;
  for (const Offset base : bases) {
    TRY_ASSIGN(const auto file, disk_.open(path(base, log_suffix), OpenMode::read));
    TRY_ASSIGN(const std::uint64_t size, file->size());
    if (size != 0 || saved(base) != nullptr) kept.push_back(base);
  }
  bases = std::move(kept);
  return {};
}

Result<void> PartitionScan::scan_segment(Offset base_offset, bool last) {
  file_ = path(base_offset, log_suffix);
  TRY_ASSIGN(const auto file, disk_.open(file_, OpenMode::read));
  TRY_ASSIGN(const std::uint64_t size, file->size());
  const SegmentFacts* facts = saved(base_offset);
  visitor_.on_segment(file_, base_offset, size);
  if (next_offset_.has_value() && *next_offset_ != base_offset) {
    damage(file_, 0, fmt::format("the segment should begin at offset {}", *next_offset_));
    next_index_.reset();
  }
  next_offset_ = base_offset;
  if (facts != nullptr) next_index_ = facts->base_index;
  const std::uint64_t known = facts != nullptr ? facts->size_bytes : 0;
  const bool sealed = facts != nullptr && facts != &checkpoint_->segments.back();
  if (size < known || (sealed && size != known)) {
    damage(file_, size, fmt::format("the segment has {} bytes, {} were synced", size, known));
  }
  ScanBuffer buffer(*file, size);
  std::uint32_t chain = 0;
  bool whole = true;
  for (std::uint64_t position = 0; position < size;) {
    if (facts != nullptr && position == known && whole) {
      if (chain != facts->chain) {
        damage(file_, 0, "a base offset, length or leader epoch was changed (chain checksum)");
      }
      check_saved_end(*facts, file_);
    }
    const ExpectedEntry expected{next_offset_.value_or(0), next_offset_.has_value(), epoch_};
    TRY_ASSIGN(const CheckedEntry checked, check_entry(buffer, position, expected));
    if (!checked.good()) {
      TRY_ASSIGN(position, step_over(buffer, checked, known, last));
      whole = false;
      continue;
    }
    const EntryPlace& place = checked.place;
    chain = extend_chain(chain, place.prefix);
    visitor_.on_entry({&place, next_index_.value_or(0), file.get()});
    next_offset_ = place.header.next_offset();
    if (next_index_.has_value()) ++*next_index_;
    epoch_ = place.header.leader_epoch;
    position = place.end();
  }
  if (facts != nullptr && known == size && whole && chain != facts->chain) {
    damage(file_, 0, "a base offset, length or leader epoch was changed (chain checksum)");
  }
  if (facts != nullptr && known == size && whole) check_saved_end(*facts, file_);
  return {};
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
