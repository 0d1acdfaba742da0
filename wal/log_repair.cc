#include "wal/log_repair.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "wal/flush_work.h"
#include "wal/format.h"
#include "wal/journal_replay.h"
#include "wal/log_directory.h"

namespace chronik::wal {

namespace {

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? std::string(".") : path.substr(0, slash);
}

/// Follows a scan up to the first real damage and keeps what a checkpoint of that much needs.
class Keeper final : public ScanVisitor {
 public:
  explicit Keeper(const OnProgress& on_progress) : on_progress_(on_progress) {}

  void on_segment(const std::string& file, const SegmentName& segment, std::uint64_t) override {
    if (damage.has_value()) return;
    file_ = file;
    if (segment.generation != 0 && !segments.empty() && !segments.back()->facts.compacted()) {
      damage = LogDamage{
          .directory = {}, .file = file, .what = "a compacted segment is behind one that is not"};
      return;
    }
    SegmentFacts facts;
    facts.base_offset = segment.base_offset;
    facts.generation = segment.generation;
    facts.base_index = last_index + 1;
    segments.push_back(std::make_unique<Segment>(std::move(facts)));
    // Where a segment should begin is known by its name; where the log ends, by its entries only.
    if (segments.size() == 1) first_offset = end_offset = segment.base_offset;
  }
  void on_entry(const ScannedEntry& entry) override {
    const EntryPlace& place = *entry.place;
    progress_.advance(place.header.size(), on_progress_);
    if (!damage.has_value() && limit_.has_value() && file_ == limit_->file &&
        place.position >= limit_->position) {
      damage = limit_;
    }
    if (damage.has_value()) return;
    if (segments.back()->facts.compacted() && takes_no_offset(place.header)) {
      damage = LogDamage{.directory = {},
                         .file = file_,
                         .position = place.position,
                         .what = "a compacted segment has an entry that takes no offset"};
      return;
    }
    // The first entry of a segment tells its index, as far as it is known; later ones count on.
    if (segments.back()->facts.size_bytes == 0 && entry.index != 0) {
      segments.back()->facts.base_index = entry.index;
      last_index = entry.index - 1;
    }
    segments.back()->add(place.header, place.prefix, ++last_index,
                         LogSettings().index_interval_bytes);
    if (place.header.leader_epoch >= 0) {
      epochs.assign(place.header.leader_epoch, place.header.base_offset, last_index);
    }
    end_offset = place.header.next_offset();
  }
  void on_damage(const LogDamage& found) override {
    if (found.mends_itself || damage.has_value()) return;
    damage = found;
  }

  /// Whether the damage lies before the end of what was kept: it was seen too late.
  bool kept_too_much() const {
    return damage.has_value() && !segments.empty() && damage->file == file_ &&
           damage->position < segments.back()->facts.size_bytes;
  }
  /// Forgets all, to follow another scan up to the damage that is known now.
  void begin_again() {
    limit_ = std::exchange(damage, std::nullopt);
    segments.clear();
    first_offset = end_offset = first_dirty_offset = 0;
    last_index = 0;
    epochs = EpochCache();
  }

  std::optional<LogDamage> damage;
  std::vector<std::unique_ptr<Segment>> segments;
  Offset first_offset = 0;
  Offset end_offset = 0;
  Offset first_dirty_offset = 0;
  EntryIndex last_index = 0;
  EpochCache epochs;

 private:
  const OnProgress& on_progress_;
  ScanProgress progress_{.partitions = 1};
  std::string file_;  // of segments.back()
  std::optional<LogDamage> limit_;
};

class Repair {
 public:
  Repair(Disk& disk, const std::string& directory, const OnProgress& on_progress)
      : disk_(disk), directory_(directory), keeper_(on_progress) {}

  Result<RepairReport> run();

 private:
  Result<LogIdentity> identity(const PartitionScan& scan) const;
  Result<void> copy_aside(const std::string& file, std::uint64_t from);
  Result<void> save(const LogIdentity& identity, Offset start_offset);
  Result<void> cut(const std::vector<SegmentName>& logs);
  /// How many bytes of it stay.
  std::uint64_t kept_bytes(const SegmentName& segment) const;
  std::string path(SegmentName segment, std::string_view suffix) const {
    return directory_ + "/" + segment_file_name(segment, suffix);
  }

  Disk& disk_;
  const std::string& directory_;
  Keeper keeper_;
  RepairReport report_;
};

Result<RepairReport> Repair::run() {
  TRY_ASSIGN(PartitionScan scan, PartitionScan::open(disk_, directory_, keeper_));
  // A damaged checkpoint takes nothing from the segments.
  const std::optional<LogDamage> outside = std::exchange(keeper_.damage, std::nullopt);
  TRY(scan.run());
  if (keeper_.kept_too_much()) {
    keeper_.begin_again();
    TRY_ASSIGN(PartitionScan again, PartitionScan::open(disk_, directory_, keeper_));
    keeper_.damage.reset();
    TRY(again.run());
  }
  if (!keeper_.damage.has_value() && !outside.has_value()) return report_;
  TRY_ASSIGN(const LogIdentity whose, identity(scan));
  report_.changed = true;
  report_.first_damage = keeper_.damage.has_value() ? *keeper_.damage : *outside;
  report_.log_start_lost = !scan.checkpoint().has_value() && outside.has_value();
  Offset start = keeper_.first_offset;
  if (scan.checkpoint().has_value()) {
    if (keeper_.segments.empty()) {
      keeper_.end_offset = scan.checkpoint()->start_offset;
      keeper_.last_index = scan.checkpoint()->last_index;
    }
    start = std::clamp(scan.checkpoint()->start_offset, start, keeper_.end_offset);
    keeper_.first_dirty_offset =
        std::min(scan.checkpoint()->first_dirty_offset, keeper_.end_offset);
    // Its entries are fewer than its indexes.
    if (keeper_.end_offset == scan.checkpoint()->end_offset) {
      keeper_.last_index = std::max(keeper_.last_index, scan.checkpoint()->last_index);
    }
  }
  // Of a segment that was damaged from its beginning nothing stays.
  if (!keeper_.segments.empty() && keeper_.segments.back()->facts.size_bytes == 0) {
    keeper_.segments.pop_back();
  }
  report_.log_start_offset = start;
  report_.end_offset = keeper_.end_offset;
  // Left-overs too: the next start would take them for what follows.
  std::vector<SegmentName> logs = scan.files().compacted_logs;
  for (const Offset base : scan.files().logs) logs.push_back({base});
  std::sort(logs.begin(), logs.end());
  for (const SegmentName& segment : logs) {
    TRY(copy_aside(path(segment, log_suffix), kept_bytes(segment)));
  }
  TRY(disk_.sync_directory(directory_));
  for (const auto& segment : keeper_.segments) report_.bytes_kept += segment->facts.size_bytes;
  TRY(save(whose, start));
  TRY(cut(logs));
  return report_;
}

Result<LogIdentity> Repair::identity(const PartitionScan& scan) const {
  const auto refused = [&](std::string_view why) {
    return Error{Errc::corrupt, fmt::format("{}: {}", directory_, why)};
  };
  const std::vector<Uuid>& ids = scan.files().topic_ids;
  if (ids.size() > 1) {
    return refused("it carries the ids of several topics: remove the .topic files of the others");
  }
  if (scan.checkpoint().has_value()) {
    const LogIdentity& saved = scan.checkpoint()->identity;
    if (ids.empty() || ids.front() == saved.topic_id) return saved;
    return refused("its checkpoint and its .topic file say different topics: remove the wrong one");
  }
  const auto named =
      parse_partition_directory_name(directory_.substr(parent_of(directory_).size() + 1));
  if (!named.has_value() || ids.empty()) {
    return refused("neither its checkpoint nor a .topic file says whose it is");
  }
  return LogIdentity{named->first, named->second, ids.front()};
}

std::uint64_t Repair::kept_bytes(const SegmentName& segment) const {
  for (const auto& kept : keeper_.segments) {
    if (kept->facts.name() == segment) return kept->facts.size_bytes;
  }
  return 0;
}

/// Copies what will go behind `from`. A copy that an interrupted repair left is written anew.
Result<void> Repair::copy_aside(const std::string& file, std::uint64_t from) {
  TRY_ASSIGN(const auto source, disk_.open(file, OpenMode::read));
  TRY_ASSIGN(const std::uint64_t size, source->size());
  if (size <= from) return {};
  std::string name = file + std::string(damaged_suffix);
  for (int n = 1;; ++n) {
    TRY_ASSIGN(const bool taken, disk_.exists(name));
    if (!taken) break;
    name = fmt::format("{}.{}{}", file, n, damaged_suffix);
  }
  TRY_ASSIGN(const auto copy, disk_.open(name, OpenMode::create));
  Bytes buffer(std::min<std::uint64_t>(size - from, 1u << 20));
  for (std::uint64_t at = from; at < size;) {
    TRY_ASSIGN(const std::size_t n, source->read_at(at, buffer));
    if (n == 0) break;
    TRY(copy->write_at(at - from, ByteView(buffer).first(n)));
    at += n;
  }
  TRY(copy->sync_data());
  report_.bytes_taken += size - from;
  report_.kept_aside.push_back(name);
  return {};
}

/// The indexes and the checkpoint of what is kept. The derived state is computed anew from it.
Result<void> Repair::save(const LogIdentity& identity, Offset start_offset) {
  Checkpoint checkpoint;
  checkpoint.identity = identity;
  checkpoint.cut_under_way = true;
  checkpoint.start_offset = start_offset;
  checkpoint.end_offset = keeper_.end_offset;
  checkpoint.last_index = keeper_.last_index;
  checkpoint.first_dirty_offset = keeper_.first_dirty_offset;
  checkpoint.epochs = keeper_.epochs.starts();
  for (const auto& segment : keeper_.segments) {
    const SegmentFacts& facts = segment->facts;
    checkpoint.segments.push_back(facts);
    if (facts.index_entries == 0) continue;
    Bytes bytes = encode_index_header(
        {identity.topic_id, identity.partition, facts.base_offset, facts.base_index});
    const std::size_t header = bytes.size();
    bytes.resize(header + facts.index_entries * index_entry_bytes);
    for (std::size_t i = 0; i < facts.index_entries; ++i) {
      encode_index_entry(segment->index_tail[i],
                         MutableByteView(bytes).subspan(header + i * index_entry_bytes));
    }
    TRY_ASSIGN(const auto file, disk_.open(path(facts.name(), index_suffix), OpenMode::create));
    TRY(file->write_at(0, ByteView(bytes)));
    TRY(file->sync_data());
  }
  // What is kept may be in the page cache only.
  for (const auto& segment : keeper_.segments) {
    TRY_ASSIGN(const auto file,
               disk_.open(path(segment->facts.name(), log_suffix), OpenMode::read_write));
    TRY(file->sync_data());
  }
  return replace_checkpoint(disk_, directory_, encode_checkpoint(checkpoint));
}

Result<void> Repair::cut(const std::vector<SegmentName>& logs) {
  for (auto segment = logs.rbegin(); segment != logs.rend(); ++segment) {
    if (kept_bytes(*segment) != 0) continue;
    TRY(disk_.remove(path(*segment, log_suffix)));
    TRY(disk_.sync_directory(directory_));
  }
  if (keeper_.segments.empty()) return {};
  const SegmentFacts& last = keeper_.segments.back()->facts;
  TRY_ASSIGN(const auto file, disk_.open(path(last.name(), log_suffix), OpenMode::read_write));
  TRY(file->truncate(last.size_bytes));
  return file->sync_data();
}

}  // namespace

Result<RepairReport> repair_log(Disk& disk, const std::string& path, const OnProgress& on_progress,
                                const TakeStates& take_states) {
  std::string directory = path;
  while (directory.size() > 1 && directory.ends_with('/')) directory.pop_back();
  TRY_ASSIGN(const std::vector<std::string> partitions, partition_directories(disk, directory));
  if (partitions != std::vector<std::string>{directory}) {
    return Error{
        Errc::invalid_argument,
        fmt::format("{}: name the directory of one partition in it (<topic>-<number>)", directory)};
  }
  TRY_ASSIGN(const auto lock, disk.lock(parent_of(directory) + "/chronik.lock"));
  // Or the next start would copy it over what is kept.
  TRY(replay_journals(disk, parent_of(directory), take_states));
  return Repair(disk, directory, on_progress).run();
}

}  // namespace chronik::wal
