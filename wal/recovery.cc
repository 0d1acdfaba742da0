#include "wal/recovery.h"

#include <algorithm>

#include "base/log.h"
#include "wal/batch_scan.h"
#include "wal/file_removal.h"
#include "wal/format.h"

namespace chronik::wal {

namespace {

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

class Recovery {
 public:
  Recovery(Disk& disk, const std::string& directory, const LogIdentity& identity,
           const LogSettings& settings, DerivedState* derived, DirectorySync sync)
      : disk_(disk),
        directory_(directory),
        identity_(identity),
        settings_(settings),
        derived_(derived),
        synced_(sync == DirectorySync::done) {}

  Result<RecoveredLog> run();

 private:
  Result<void> check_owner();
  Result<void> set_aside_unfinished();
  Result<void> take_checkpoint();
  Result<void> check_no_checkpoint_lost() const;
  std::vector<std::string> leftovers();
  void remove_files(const std::vector<std::string>& names);
  Result<void> check_saved_segments();
  void give_up_index(Offset base);
  Result<void> restore_derived();
  Result<void> replay_saved();
  Result<void> scan_tail();
  Result<void> remove_empty_files();
  Result<void> drop_empty_segment();
  Result<bool> scan_segment(Segment& segment, bool followed);
  Result<void> judge(Segment& segment, File& file, ScanBuffer& buffer, const CheckedEntry& bad,
                     bool followed);
  Result<void> cut(Segment& segment, File& file, std::uint64_t file_size,
                   const std::string& problem);
  Result<void> sync_names();
  void accept(Segment& segment, const EntryPlace& place);

  std::string path(SegmentName segment, std::string_view suffix) const {
    return directory_ + "/" + segment_file_name(segment, suffix);
  }
  Error corrupt(const std::string& file, const std::string& what) const {
    return {Errc::corrupt,
            fmt::format("{}: {}. Nothing was changed. `chronik log verify {}` shows all damage; "
                        "restore the directory from a copy, or give up what lies behind the damage "
                        "with `chronik log repair {}`",
                        file, what, directory_, directory_)};
  }

  Disk& disk_;
  const std::string& directory_;
  const LogIdentity& identity_;
  const LogSettings& settings_;
  DerivedState* derived_;
  const bool synced_;  // what was found; not what changes here
  PartitionFiles files_;
  std::vector<std::string> superfluous_;  // names that go when nothing is damaged
  Checkpoint checkpoint_;
  RecoveredLog log_;
};

Result<RecoveredLog> Recovery::run() {
  TRY_ASSIGN(files_, list_partition_files(disk_, directory_));
  if (!files_.exists) {
    if (derived_ != nullptr) derived_->reset();
    return std::move(log_);
  }
  TRY(check_owner());
  if (files_.has_checkpoint) {
    TRY(take_checkpoint());
    superfluous_ = leftovers();
    TRY(check_saved_segments());
    // The process may have died before this checkpoint's own name was durable: with the one before
    // it, the left-overs would be missing. And files that a truncation removed may come back with
    // the next power cut, behind new entries.
    // And where no entry follows, a snapshot's place is known from the checkpoint alone.
    const bool has_entries = !log_.segments.empty() && !log_.segments.back()->facts.compacted();
    const bool follows_snapshot = !has_entries && log_.last_index > 0;
    if (checkpoint_.cut_under_way || !superfluous_.empty() || follows_snapshot) TRY(sync_names());
  } else if (files_.exists) {
    TRY(check_no_checkpoint_lost());
    // A young log: the process may have died between the sync of a file and that of its name.
    TRY(sync_names());
    superfluous_ = leftovers();
  }
  if (files_.exists) {
    log_.directory_made = true;
    TRY(restore_derived());
    TRY(remove_empty_files());
    TRY(scan_tail());
    TRY(drop_empty_segment());
    // Not before: where the log is damaged, they may be all that is left of it.
    remove_files(superfluous_);
  } else if (derived_ != nullptr) {
    derived_->reset();
  }
  return std::move(log_);
}

Result<void> Recovery::check_owner() {
  const bool ours = std::find(files_.topic_ids.begin(), files_.topic_ids.end(),
                              identity_.topic_id) != files_.topic_ids.end();
  if (ours || files_.has_checkpoint) return {};  // the checkpoint's identity is checked with it
  if (!files_.topic_ids.empty()) {
    return Error{Errc::invalid_argument,
                 fmt::format("{} belongs to topic id {}, not to {}: remove the directory, or the "
                             "other data directory's files were mixed with this one's",
                             directory_, files_.topic_ids.front().to_string(),
                             identity_.topic_id.to_string())};
  }
  return set_aside_unfinished();
}

Result<void> Recovery::set_aside_unfinished() {
  files_.exists = false;
  if (files_.logs.empty() && files_.indexes.empty() && files_.others.empty() &&
      files_.compacted_logs.empty() && files_.compacted_indexes.empty()) {
    return {};
  }
  TRY_ASSIGN(const std::string aside,
             unused_aside(disk_, parent_of(directory_), identity_.topic_id, identity_.partition));
  log_warn("a partition directory was never finished, nothing in it was acknowledged: set aside",
           {{"directory", directory_}, {"to", aside}});
  files_.logs.clear();
  TRY(disk_.rename(directory_, aside));
  return disk_.sync_directory(parent_of(directory_));
}

Result<void> Recovery::take_checkpoint() {
  const std::string file = directory_ + "/" + std::string(checkpoint_file);
  TRY_ASSIGN(const Bytes bytes, read_file(disk_, file));
  Result<Checkpoint> decoded = decode_checkpoint(bytes, file);
  if (!decoded) {
    if (decoded.error().code != Errc::corrupt) return std::move(decoded).error();
    return corrupt(file, "the checkpoint is damaged: " + decoded.error().message);
  }
  checkpoint_ = std::move(*decoded);
  if (checkpoint_.identity != identity_) {
    return Error{Errc::invalid_argument,
                 fmt::format("{} belongs to {}-{} with topic id {}, not to {}-{} with topic id {}",
                             directory_, checkpoint_.identity.topic, checkpoint_.identity.partition,
                             checkpoint_.identity.topic_id.to_string(), identity_.topic,
                             identity_.partition, identity_.topic_id.to_string())};
  }
  log_.report.had_checkpoint = true;
  log_.report.cut_under_way = checkpoint_.cut_under_way;
  log_.start_offset = checkpoint_.start_offset;
  log_.end_offset = checkpoint_.end_offset;
  log_.last_index = checkpoint_.last_index;
  log_.first_dirty_offset = checkpoint_.first_dirty_offset;
  log_.epochs = EpochCache(std::move(checkpoint_.epochs));
  for (SegmentFacts& facts : checkpoint_.segments) {
    auto segment = std::make_unique<Segment>(std::move(facts));
    segment->written_bytes = segment->facts.size_bytes;
    segment->index_file_entries = segment->facts.index_entries;
    // The next index entry comes at most one interval late.
    segment->last_indexed_position = segment->facts.size_bytes;
    log_.segments.push_back(std::move(segment));
  }
  return {};
}

Result<void> Recovery::check_no_checkpoint_lost() const {
  TRY_ASSIGN(const std::optional<SegmentName> segment,
             segment_without_checkpoint(disk_, directory_, files_));
  if (!segment.has_value()) return {};
  return corrupt(path(*segment, log_suffix), std::string(checkpoint_lost));
}

/// What the checkpoint does not name and what is not behind it.
std::vector<std::string> Recovery::leftovers() {
  const Offset first =
      log_.segments.empty() ? log_.end_offset : log_.segments.front()->facts.base_offset;
  const auto segment_before = [&](Offset base) -> const SegmentFacts* {
    const auto next = std::upper_bound(
        log_.segments.begin(), log_.segments.end(), base,
        [](Offset wanted, const auto& segment) { return wanted < segment->facts.base_offset; });
    return next == log_.segments.begin() ? nullptr : &(*std::prev(next))->facts;
  };
  const auto replaced = [&](Offset base) {
    if (!files_.has_checkpoint) return false;
    const SegmentFacts* facts = segment_before(base);
    return base < first || (facts != nullptr && facts->compacted() && base < log_.end_offset);
  };
  const auto unknown = [&](const SegmentName& name) {
    const SegmentFacts* facts = segment_before(name.base_offset);
    log_.next_generation = std::max(log_.next_generation, name.generation + 1);
    return facts == nullptr || facts->name() != name;
  };
  std::vector<std::string> names;
  for (const Offset base : files_.logs) {
    if (replaced(base)) names.push_back(segment_file_name({base}, log_suffix));
  }
  for (const Offset base : files_.indexes) {
    const bool has_log = std::binary_search(files_.logs.begin(), files_.logs.end(), base);
    if (files_.has_checkpoint && (replaced(base) || !has_log)) {
      names.push_back(segment_file_name({base}, index_suffix));
    }
  }
  for (const SegmentName& name : files_.compacted_logs) {
    if (unknown(name)) names.push_back(segment_file_name(name, log_suffix));
  }
  for (const SegmentName& name : files_.compacted_indexes) {
    if (unknown(name)) names.push_back(segment_file_name(name, index_suffix));
  }
  for (const std::string& name : files_.others) {
    const bool unfinished = files_.has_checkpoint && name == new_checkpoint_file;
    if (unfinished || name.ends_with(received_suffix)) names.push_back(name);
  }
  std::erase_if(files_.logs, replaced);
  return names;
}

void Recovery::give_up_index(Offset base) {
  if (std::ranges::binary_search(files_.indexes, base)) {
    superfluous_.push_back(segment_file_name({base}, index_suffix));
  }
}

void Recovery::remove_files(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (Result<void> removed = disk_.remove(directory_ + "/" + name); !removed) {
      log_warn("a file that is no longer needed stays", {{"why", removed.error().message}});
    }
  }
}

Result<void> Recovery::check_saved_segments() {
  for (const auto& segment : log_.segments) {
    const SegmentFacts& facts = segment->facts;
    const bool last = segment == log_.segments.back();
    const std::string file = path(facts.name(), log_suffix);
    segment->file_made =
        facts.compacted()
            ? std::binary_search(files_.compacted_logs.begin(), files_.compacted_logs.end(),
                                 facts.name())
            : std::binary_search(files_.logs.begin(), files_.logs.end(), facts.base_offset);
    if (!segment->file_made) {
      if (facts.size_bytes == 0 && last) continue;
      return corrupt(file, "the segment is missing");
    }
    TRY_ASSIGN(const auto opened, disk_.open(file, OpenMode::read));
    TRY_ASSIGN(const std::uint64_t size, opened->size());
    if (size < facts.size_bytes || (size > facts.size_bytes && (!last || facts.compacted()))) {
      return corrupt(
          file, fmt::format("the segment has {} bytes, {} were synced", size, facts.size_bytes));
    }
  }
  return {};
}

Result<void> Recovery::restore_derived() {
  if (derived_ == nullptr) return {};
  if (checkpoint_.has_derived) {
    const Result<void> restored = derived_->restore(checkpoint_.derived);
    if (restored) return {};
    log_warn("the saved state of a partition cannot be read: it is computed from the log again",
             {{"directory", directory_}, {"why", restored.error().message}});
  }
  derived_->reset();
  return replay_saved();
}

Result<void> Recovery::sync_names() {
  if (synced_) return {};
  TRY(disk_.sync_directory(directory_));
  return disk_.sync_directory(parent_of(directory_));
}

Result<void> Recovery::replay_saved() {
  for (const auto& segment : log_.segments) {
    if (segment->facts.size_bytes == 0) continue;
    const std::string file = path(segment->facts.name(), log_suffix);
    TRY_ASSIGN(const auto opened, disk_.open(file, OpenMode::read));
    HeaderWalk walk(*opened, 0, segment->facts.size_bytes);
    for (;;) {
      Result<std::optional<EntryPlace>> place = walk.next();
      if (!place) {
        if (place.error().code == Errc::corrupt) return corrupt(file, place.error().message);
        return std::move(place).error();
      }
      if (!place->has_value()) break;
      if (!takes_no_offset((*place)->header)) derived_->apply((*place)->header);
    }
  }
  return {};
}

/// Of an empty file nobody knows whether its name is durable, and the log may have gone on without
/// it: it goes, and is made again when it is wanted. It may come back with a power cut.
Result<void> Recovery::remove_empty_files() {
  Offset first = 0;
  if (!log_.segments.empty()) {
    const SegmentFacts& last = log_.segments.back()->facts;
    first = last.base_offset + (last.size_bytes == 0 ? 0 : 1);
  }
  std::vector<Offset> kept;
  for (const Offset base : files_.logs) {
    if (base >= first) {
      const std::string name = path({base}, log_suffix);
      TRY_ASSIGN(const auto file, disk_.open(name, OpenMode::read_write));
      TRY_ASSIGN(std::uint64_t size, file->size());
      if (size == 0) {
        if (!synced_) TRY(file->sync_data());
        file->drop_cache(0, 0);
        TRY_ASSIGN(size, file->size());
      }
      if (size == 0) {
        TRY(disk_.remove(name));
        give_up_index(base);
        continue;
      }
    }
    kept.push_back(base);
  }
  files_.logs = std::move(kept);
  if (!log_.segments.empty() && log_.segments.back()->facts.size_bytes == 0) {
    Segment& last = *log_.segments.back();
    last.file_made =
        std::binary_search(files_.logs.begin(), files_.logs.end(), last.facts.base_offset);
  }
  return {};
}

Result<void> Recovery::scan_tail() {
  std::size_t next_file = 0;
  if (!log_.segments.empty()) {
    const Offset last = log_.segments.back()->facts.base_offset;
    next_file = static_cast<std::size_t>(
        std::upper_bound(files_.logs.begin(), files_.logs.end(), last) - files_.logs.begin());
    if (log_.segments.back()->file_made) {
      TRY_ASSIGN(const bool whole,
                 scan_segment(*log_.segments.back(), next_file < files_.logs.size()));
      if (!whole) return {};
    }
  }
  for (; next_file < files_.logs.size(); ++next_file) {
    const Offset base = files_.logs[next_file];
    if (base != log_.end_offset) {
      return corrupt(
          path({base}, log_suffix),
          fmt::format("a segment with base offset {} is expected here", log_.end_offset));
    }
    if (!log_.segments.empty() && log_.segments.back()->facts.base_offset == base) {
      return corrupt(path({base}, log_suffix), "two segments begin at the same offset");
    }
    SegmentFacts facts;
    facts.base_offset = base;
    facts.base_index = log_.last_index + 1;
    log_.segments.push_back(std::make_unique<Segment>(std::move(facts)));
    log_.segments.back()->file_made = true;
    TRY_ASSIGN(const bool whole,
               scan_segment(*log_.segments.back(), next_file + 1 < files_.logs.size()));
    if (!whole) return {};
  }
  return {};
}

/// As remove_empty_files(), of a segment that was cut to nothing.
Result<void> Recovery::drop_empty_segment() {
  if (log_.segments.empty() || log_.segments.back()->facts.size_bytes != 0) return {};
  if (log_.segments.back()->file_made) {
    TRY(disk_.remove(path(log_.segments.back()->facts.name(), log_suffix)));
    give_up_index(log_.segments.back()->facts.base_offset);
  }
  log_.segments.pop_back();
  return {};
}

/// False when the tail was cut in this segment.
Result<bool> Recovery::scan_segment(Segment& segment, bool followed) {
  const std::string name = path(segment.facts.name(), log_suffix);
  const std::uint64_t begin = segment.facts.size_bytes;
  TRY_ASSIGN(const auto file, disk_.open(name, OpenMode::read_write));
  TRY_ASSIGN(std::uint64_t size, file->size());
  // A cut that seems to be done may not be durable.
  if (size == begin && !checkpoint_.cut_under_way) return true;
  // What a process that died left in the page cache may never have reached the disk, or a sync of
  // it may have failed before: write it, then look at what the disk has.
  if (!synced_) TRY(file->sync_data());
  if (begin == 0) TRY(sync_names());
  file->drop_cache(begin, size - begin);
  TRY_ASSIGN(size, file->size());
  ScanBuffer buffer(*file, size);
  while (segment.facts.size_bytes < size) {
    const std::uint64_t position = segment.facts.size_bytes;
    const ExpectedEntry expected{log_.end_offset, true, log_.epochs.latest()};
    TRY_ASSIGN(CheckedEntry checked, check_entry(buffer, position, expected));
    if (checked.good() && checked.place.end() > segment_bytes_limit) {
      checked.problem = "the segment is larger than a segment can be";
    }
    if (!checked.good()) {
      TRY(judge(segment, *file, buffer, checked, followed));
      return false;
    }
    accept(segment, checked.place);
  }
  segment.written_bytes = size;
  log_.report.scanned_bytes += size - begin;
  return true;
}

void Recovery::accept(Segment& segment, const EntryPlace& place) {
  const protocol::BatchHeader& header = place.header;
  ++log_.last_index;
  segment.add(header, place.prefix, log_.last_index, settings_.index_interval_bytes);
  if (header.leader_epoch >= 0) {
    log_.epochs.assign(header.leader_epoch, header.base_offset, log_.last_index);
  }
  log_.end_offset = header.next_offset();
  if (derived_ != nullptr && !takes_no_offset(header)) derived_->apply(header);
}

Result<void> Recovery::judge(Segment& segment, File& file, ScanBuffer& buffer,
                             const CheckedEntry& bad, bool followed) {
  const std::uint64_t position = bad.place.position;
  const std::string name = path(segment.facts.name(), log_suffix);
  if (followed) {
    return corrupt(name, fmt::format("damaged at position {}: {}; a later segment exists", position,
                                     bad.problem));
  }
  TRY_ASSIGN(const BadEntry judged, judge_bad_entry(buffer, position, log_.end_offset));
  if (!judged.torn) {
    return corrupt(name,
                   fmt::format("damaged at position {}: {}; {}", position, bad.problem,
                               *judged.behind == position
                                   ? std::string("all else of the batch is whole")
                                   : fmt::format("a good batch follows at {}", *judged.behind)));
  }
  return cut(segment, file, buffer.file_size(), bad.problem);
}

Result<void> Recovery::cut(Segment& segment, File& file, std::uint64_t file_size,
                           const std::string& problem) {
  const std::uint64_t position = segment.facts.size_bytes;
  log_.report.torn_bytes = file_size - position;
  log_.report.torn_position = position;
  log_.report.torn_file = path(segment.facts.name(), log_suffix);
  log_warn("torn tail cut: a write was under way when the process or the machine died",
           {{"file", log_.report.torn_file},
            {"position", position},
            {"bytes", log_.report.torn_bytes},
            {"end_offset", log_.end_offset},
            {"found", problem}});
  TRY(file.truncate(position));
  TRY(file.sync_data());
  log_.report.scanned_bytes += file_size - segment.written_bytes;
  segment.written_bytes = position;
  return {};
}

}  // namespace

Result<RecoveredLog> recover_log(Disk& disk, const std::string& directory,
                                 const LogIdentity& identity, const LogSettings& settings,
                                 DerivedState* derived, DirectorySync sync) {
  return Recovery(disk, directory, identity, settings, derived, sync).run();
}

Result<PartitionFiles> list_partition_files(Disk& disk, const std::string& directory) {
  PartitionFiles files;
  Result<std::vector<DirectoryEntry>> entries = disk.list(directory);
  if (!entries) {
    if (entries.error().code == Errc::not_found) return files;
    return std::move(entries).error();
  }
  files.exists = true;
  for (DirectoryEntry& entry : *entries) {
    if (const auto log = parse_segment_file_name(entry.name, log_suffix)) {
      if (log->generation == 0) files.logs.push_back(log->base_offset);
      if (log->generation != 0) files.compacted_logs.push_back(*log);
    } else if (const auto index = parse_segment_file_name(entry.name, index_suffix)) {
      if (index->generation == 0) files.indexes.push_back(index->base_offset);
      if (index->generation != 0) files.compacted_indexes.push_back(*index);
    } else if (const auto topic = parse_topic_file_name(entry.name)) {
      files.topic_ids.push_back(*topic);
    } else if (entry.name == checkpoint_file) {
      files.has_checkpoint = true;
    } else {
      files.others.push_back(std::move(entry.name));
    }
  }
  std::sort(files.logs.begin(), files.logs.end());
  std::sort(files.indexes.begin(), files.indexes.end());
  std::sort(files.compacted_logs.begin(), files.compacted_logs.end());
  return files;
}

Result<std::optional<SegmentName>> segment_without_checkpoint(Disk& disk,
                                                              const std::string& directory,
                                                              const PartitionFiles& files) {
  std::optional<SegmentName> none;
  if (files.has_checkpoint) return none;
  std::optional<SegmentName> first;  // that holds something
  for (std::size_t i = 0; i < files.logs.size() && !first.has_value(); ++i) {
    const SegmentName name{files.logs[i]};
    TRY_ASSIGN(const auto file,
               disk.open(directory + "/" + segment_file_name(name, log_suffix), OpenMode::read));
    TRY_ASSIGN(const std::uint64_t size, file->size());
    if (size != 0) first = name;
  }
  if (first.has_value() && first->base_offset != 0) return first;
  for (const SegmentName& name : files.compacted_logs) {
    if (!std::binary_search(files.logs.begin(), files.logs.end(), name.base_offset)) {
      return std::optional(name);
    }
  }
  return none;
}

Result<Bytes> read_file(Disk& disk, const std::string& path) {
  TRY_ASSIGN(const auto file, disk.open(path, OpenMode::read));
  TRY_ASSIGN(const std::uint64_t size, file->size());
  Bytes bytes(size);
  TRY_ASSIGN(const std::size_t n, file->read_at(0, bytes));
  bytes.resize(n);
  return bytes;
}

}  // namespace chronik::wal
