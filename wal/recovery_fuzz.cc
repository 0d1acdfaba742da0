// A data directory whose files were damaged in any way (wal/damaged_log.h), seen by all who open
// one. Whatever it is: verify and dump change nothing; a start succeeds, or is refused with a
// message that names the place and leaves every byte; damage in front of good batches is never cut;
// what was recovered stays, can be read with its checksums right, and written to; and repair makes
// a sound log of it and loses no byte.
#include <cstdint>
#include <limits>
#include <optional>

#include "base/log.h"
#include "wal/damaged_log.h"
#include "wal/log_dump.h"
#include "wal/log_repair.h"
#include "wal/log_verify.h"

namespace chronik::wal::testing {
namespace {

using protocol::BatchHeader;

const LogIdentity identity{"t", 0, test_topic_id()};

/// A process that has the partition open.
struct Process {
  explicit Process(Disk& disk) : environment(disk) {
    environment.on_fatal = [](const Error& error) { CHECK_MSG(false, error.message); };
  }
  Result<void> open(LogShape shape) {
    TRY_ASSIGN(log, PartitionLog::open(environment, partition_directory, identity,
                                       SeedLogs::settings(shape), &derived));
    return {};
  }

  LogEnvironment environment;
  SeenEntries derived;
  std::unique_ptr<PartitionLog> log;
};

struct Ends {
  Offset start = 0;
  Offset end = 0;
  EntryIndex last_index = 0;
  LeaderEpoch last_epoch = 0;

  explicit Ends(const PartitionLog& log)
      : start(log.log_start_offset()),
        end(log.end_offset()),
        last_index(log.last_index()),
        last_epoch(log.last_epoch()) {}
  bool operator==(const Ends&) const = default;
  std::string to_string() const {
    return fmt::format("offsets {} to {}, index {}, epoch {}", start, end, last_index, last_epoch);
  }
};

/// Without files that hold nothing: a start may remove these.
FileContents that_hold_something(FileContents files) {
  std::erase_if(files, [](const auto& file) { return file.second.empty(); });
  return files;
}

bool is_whole_batch(ByteView bytes) {
  if (bytes.size() < protocol::batch_header_size) return false;
  const BatchHeader header = protocol::read_batch_header(bytes);
  return header.length >= 49 && header.size() <= bytes.size() &&
         protocol::compute_batch_crc(bytes.first(header.size())) == header.crc;
}

/// Whether none of the sectors of [begin, end) is all zeros: all of it was written.
bool was_written(ByteView file, std::uint64_t begin, std::uint64_t end) {
  while (begin < end) {
    const std::uint64_t sector_end = std::min(end, (begin / 512 + 1) * 512);
    const ByteView part = file.subspan(begin, sector_end - begin);
    if (std::all_of(part.begin(), part.end(), [](std::uint8_t byte) { return byte == 0; })) {
      return false;
    }
    begin = sector_end;
  }
  return true;
}

/// What wal/format.md says of a bad batch, tried at every byte. Sure, but not complete: false does
/// not say that the tail is torn.
bool is_surely_damage(ByteView file, std::uint64_t position, Offset end_offset) {
  if (is_whole_batch(file.subspan(position))) {
    return was_written(file, position, position + chain_prefix_bytes);
  }
  for (std::uint64_t at = position + 1; at + protocol::batch_header_size <= file.size(); ++at) {
    if (file[at + 16] != 2 || !is_whole_batch(file.subspan(at))) continue;
    const BatchHeader header = protocol::read_batch_header(file.subspan(at));
    const bool ours = header.base_offset >= end_offset &&
                      header.base_offset - end_offset < (Offset{1} << 31) &&
                      (header.last_offset_delta >= 0 ||
                       (header.last_offset_delta == -1 && header.is_control())) &&
                      header.base_offset < (Offset{1} << 62) && header.leader_epoch >= -1;
    if (ours && was_written(file, position, at)) return true;
  }
  return false;
}

/// Reads the whole log. `sound`: all of it must be there and right; otherwise only that nothing
/// ends the process.
void read_all(PartitionLog& log, bool sound) {
  for (Offset at = log.log_start_offset(); at < log.end_offset();) {
    const Result<LogSlice> slice = log.read(at, 700, log.end_offset(), true);
    CHECK_MSG(slice.has_value() || !sound, slice.error().message);
    if (!slice) return;
    const Result<SharedBytes> bytes = gather(slice->bytes);
    CHECK_MSG(bytes.has_value() || !sound, bytes.error().message);
    CHECK(!sound || slice->next > at);
    if (!bytes || slice->next <= at) return;
    Offset expected = slice->first;
    for (ByteView rest = bytes->view(); sound && !rest.empty();) {
      CHECK(is_whole_batch(rest));
      const BatchHeader header = protocol::read_batch_header(rest);
      CHECK(header.base_offset >= expected);
      expected = header.next_offset();
      rest = rest.subspan(header.size());
    }
    CHECK(!sound || expected == slice->next);
    at = slice->next;
  }
}

/// The other ways to look into a log.
void look_up(PartitionLog& log, Choices& choices) {
  const Timestamp time = 900 + static_cast<Timestamp>(choices.below(200));
  const Offset below = log.log_start_offset() + static_cast<Offset>(choices.below(64));
  (void)log.find_by_time(time, below);
  (void)log.find_max_timestamp(below);
  (void)log.end_offset_for_epoch(static_cast<LeaderEpoch>(choices.byte() % 8));
  for (EntryIndex index = log.start_index(); index <= log.last_index();) {
    const Result<EntrySlice> slice = log.read_entries(index, 700);
    if (!slice || slice->next <= index || !gather(slice->bytes)) return;
    index = slice->next;
  }
}

/// Work as in any other log. Its bytes may be damaged where recovery does not look, so that what
/// has to read them may be refused. Whether all of it is durable.
bool go_on(PartitionLog& log, bool sound, Choices& choices) {
  if (log.end_offset() > std::numeric_limits<Offset>::max() / 2 ||
      log.last_epoch() > std::numeric_limits<LeaderEpoch>::max() / 2) {
    return false;
  }
  const auto append = [&] {
    log.append(make_batch(
        {.base_offset = log.end_offset(), .records = 2, .epoch = std::max(log.last_epoch(), 0)}));
  };
  append();
  switch (choices.byte() % 5) {
    case 1: {
      const Result<void> cut = log.truncate_after(log.last_index() - choices.byte() % 4);
      CHECK_MSG(cut || cut.error().code == Errc::out_of_range || !sound, cut.error().message);
      break;
    }
    case 2:
      CHECK(log.flush());
      CHECK(log.delete_before(std::min(log.end_offset(), log.log_start_offset() + 3)));
      break;
    case 3: {
      CHECK(log.flush());
      log.seal_if_due(Timestamp{1} << 50);
      if (!log.settings().compact) break;
      const Result<CompactionReport> report = compact(log, 1'000'000);
      CHECK(report.has_value() || report.error().code == Errc::not_found || !sound);
      break;
    }
    default:
      break;
  }
  append();
  // A truncation that met damage leaves a log that takes no more.
  const Result<void> closed = log.close();
  CHECK_MSG(closed.has_value() || !sound, closed.error().message);
  return closed.has_value();
}

/// What is said of it from outside.
struct Findings {
  std::optional<VerifyReport> report;
  /// The first one that is not an index.
  std::optional<LogDamage> first;
};

Findings look_from_outside(MemoryDisk& disk) {
  Findings findings;
  const FileContents before = contents(disk);
  const VerifyCallbacks callbacks{.on_damage = [&](const LogDamage& damage) {
    CHECK(!damage.what.empty() && !to_string(damage).empty());
    if (!damage.mends_itself && !damage.in_records && !findings.first) findings.first = damage;
  }};
  for (const std::string& path : {data_directory, partition_directory}) {
    findings.first.reset();
    Result<VerifyReport> report = verify_logs(disk, path, {.records = true}, callbacks);
    const Result<std::uint64_t> dumped =
        dump_logs(disk, path, {.records = true}, [](std::string_view) {});
    CHECK_MSG(report.has_value() || report.error().code != Errc::io, report.error().message);
    CHECK_MSG(dumped.has_value() || dumped.error().code != Errc::io, dumped.error().message);
    findings.report.reset();
    if (report) findings.report = std::move(*report);
  }
  CHECK(contents(disk) == before);
  return findings;
}

void check_refusal(const Error& error, const FileContents& before, const FileContents& after) {
  CHECK_MSG(error.code == Errc::corrupt || error.code == Errc::invalid_argument ||
                error.code == Errc::unsupported,
            error.message);
  CHECK_MSG(error.message.find(partition_directory) != std::string::npos, error.message);
  if (error.code == Errc::corrupt) {
    CHECK_MSG(error.message.find(partition_directory + "/") != std::string::npos, error.message);
    CHECK_MSG(error.message.find("chronik log repair " + partition_directory) != std::string::npos,
              error.message);
  }
  CHECK_MSG(that_hold_something(after) == that_hold_something(before), error.message);
}

void check_cut(const RecoveryReport& report, const Ends& ends, const FileContents& before,
               const FileContents& after) {
  if (report.torn_bytes == 0) return;
  const Bytes& file = before.at(report.torn_file);
  CHECK(report.torn_position + report.torn_bytes == file.size());
  CHECK(!is_surely_damage(file, report.torn_position, ends.end));
  // Nothing was behind it, and what was before it is as it was.
  for (const auto& [name, content] : after) {
    CHECK(!name.starts_with(partition_directory) || !name.ends_with(log_suffix) ||
          name <= report.torn_file || content.empty());
  }
  const auto kept = after.find(report.torn_file);
  CHECK(kept == after.end()
            ? report.torn_position == 0
            : kept->second == Bytes(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(
                                                                     report.torn_position)));
}

/// What a restart finds: the same, and when another one came just before, nothing to do.
void check_again(MemoryDisk& disk, LogShape shape, const Ends& ends, bool settled) {
  const FileContents before = contents(disk);
  Process process(disk);
  const Result<void> opened = process.open(shape);
  CHECK_MSG(opened.has_value(), opened.error().message);
  CHECK_MSG(Ends(*process.log) == ends,
            Ends(*process.log).to_string() + " instead of " + ends.to_string());
  CHECK(process.log->recovery().torn_bytes == 0);
  process.log.reset();
  CHECK(!settled || contents(disk) == before);
}

/// Whether the damage lies where a start looks: behind what the checkpoint covers, with nothing
/// wrong before it.
bool stops_a_start(const LogDamage& damage, const Checkpoint* checkpoint) {
  if (damage.torn_tail || !damage.file.ends_with(log_suffix)) return false;
  if (checkpoint == nullptr) return true;
  for (const SegmentFacts& facts : checkpoint->segments) {
    if (damage.file == partition_directory + "/" + segment_file_name(facts.name(), log_suffix)) {
      return damage.position >= facts.size_bytes && &facts == &checkpoint->segments.back() &&
             !facts.compacted() && damage.what.find("the checkpoint says") == std::string::npos;
    }
  }
  return true;
}

void check_start(const DamagedLog& damaged, MemoryDisk& disk, const Findings& findings,
                 Choices& choices) {
  const FileContents before = contents(disk);
  std::optional<Checkpoint> checkpoint;
  if (const auto file = before.find(partition_directory + "/checkpoint"); file != before.end()) {
    if (auto decoded = decode_checkpoint(file->second, "checkpoint")) checkpoint = *decoded;
  }
  Process process(disk);
  const Result<void> opened = process.open(damaged.shape);
  const FileContents after = contents(disk);
  const bool sound = findings.report && findings.report->sound() && !damaged.forged;
  if (!opened) {
    check_refusal(opened.error(), before, after);
    CHECK_MSG(!sound || opened.error().code != Errc::corrupt, opened.error().message);
    return;
  }
  const Ends ends(*process.log);
  const RecoveryReport& report = process.log->recovery();
  if (damaged.forged) {
    read_all(*process.log, false);
    look_up(*process.log, choices);
    return;
  }
  check_cut(report, ends, before, after);
  // Without the name of its topic a directory may be set aside, whatever is in it.
  const std::string owner = partition_directory + "/" + topic_file_name(identity.topic_id);
  if (findings.first.has_value() && after.contains(owner)) {
    CHECK_MSG(!stops_a_start(*findings.first, checkpoint ? &*checkpoint : nullptr),
              to_string(*findings.first));
  }
  if (sound && findings.report->torn_tails != 0) {
    CHECK(report.torn_bytes != 0 && report.torn_file == findings.first->file &&
          report.torn_position == findings.first->position);
  }
  read_all(*process.log, sound);
  look_up(*process.log, choices);
  process.log.reset();
  check_again(disk, damaged.shape, ends, true);
  const std::unique_ptr<MemoryDisk> cut = disk.clone();
  Random random(choices.word());
  cut->crash(random, random.one_in(2) ? CrashModel::ordered : CrashModel::reordered);
  check_again(*cut, damaged.shape, ends, false);

  Process later(disk);
  CHECK(later.open(damaged.shape));
  const bool stopped = go_on(*later.log, sound, choices);
  const Ends worked(*later.log);
  later.log.reset();
  if (stopped) check_again(disk, damaged.shape, worked, false);
}

/// What is there of a segment file afterwards: its beginning, and the rest beside it.
void check_nothing_lost(const FileContents& before, const FileContents& after) {
  for (const auto& [name, content] : before) {
    if (!name.ends_with(log_suffix) || !name.starts_with(partition_directory + "/")) continue;
    const auto kept = after.find(name);
    Bytes all = kept == after.end() ? Bytes() : kept->second;
    const auto aside = after.find(name + std::string(damaged_suffix));
    if (aside != after.end()) all.insert(all.end(), aside->second.begin(), aside->second.end());
    CHECK_MSG(all == content, name);
  }
}

void check_repair(const DamagedLog& damaged, MemoryDisk& disk) {
  const FileContents before = contents(disk);
  const Result<RepairReport> repaired = repair_log(disk, partition_directory);
  if (!repaired) {
    CHECK_MSG(repaired.error().code != Errc::io, repaired.error().message);
    return;
  }
  check_nothing_lost(before, contents(disk));
  CHECK(repaired->changed || contents(disk) == before);
  const Result<RepairReport> again = repair_log(disk, partition_directory);
  CHECK_MSG(again.has_value(), again.error().message);
  CHECK_MSG(!again->changed, to_string(again->first_damage));
  const Result<VerifyReport> report = verify_logs(disk, partition_directory, {});
  CHECK_MSG(report.has_value(), report.error().message);
  CHECK_MSG(report->sound(), to_string(report->damages[0]));
  Process process(disk);
  const Result<void> opened = process.open(damaged.shape);
  CHECK_MSG(opened.has_value() || opened.error().code == Errc::invalid_argument,
            opened.error().message);
  if (opened) read_all(*process.log, true);
}

void check_directory(MemoryDisk& disk) {
  const auto directory = LogDirectory::open(disk, data_directory, {});
  if (!directory) {
    CHECK_MSG(
        directory.error().code == Errc::corrupt || directory.error().code == Errc::unsupported,
        directory.error().message);
    CHECK(directory.error().message.find(data_directory) != std::string::npos);
    return;
  }
  const auto found = (*directory)->find_partitions();
  CHECK(found.has_value());
  CHECK(found->partitions.size() == 1 && found->unknown.empty());
  CHECK(found->partitions[0].identity.topic == identity.topic);
}

}  // namespace

void check_recovery(ByteView input);
void check_recovery(ByteView input) {
  Choices choices(input);
  DamagedLog damaged(choices);
  const std::size_t damages = choices.byte() % 12;
  for (std::size_t i = 0; i < damages; ++i) damaged.damage();
  check_directory(*damaged.disk);
  const Findings findings = look_from_outside(*damaged.disk);
  check_repair(damaged, *damaged.disk->clone());
  check_start(damaged, *damaged.disk, findings, choices);
}

}  // namespace chronik::wal::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace chronik;
  static const bool quiet = [] {
    set_log_level(LogLevel::error);
    return true;
  }();
  (void)quiet;
  wal::testing::check_recovery({data, size});
  return 0;
}
