// Verify, dump and repair on logs that were compacted: holes in the offsets, batches that lost
// records, tombstones, damage in all that, and files that an interrupted run has left.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/log.h"
#include "wal/compacted_log.h"
#include "wal/log_dump.h"
#include "wal/log_repair.h"
#include "wal/log_verify.h"
#include "wal/segment_index.h"

namespace chronik::wal::testing {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

constexpr Timestamp now = 1'000'000;
constexpr Timestamp long_after = now * 1'000;

std::shared_ptr<LogSettings> compacted(std::uint64_t segment_bytes = 700) {
  std::shared_ptr<LogSettings> settings = small_segments(segment_bytes);
  settings->compact = true;
  settings->delete_old = false;
  settings->min_cleanable_dirty_ratio = 0;
  return settings;
}

using Files = std::map<std::string, Bytes>;

struct CompactedLogTools : ::testing::Test {
  LogOnFakeDisk fake{compacted()};
  std::uint64_t dumped_damages = 0;

  CompactedLogTools() {
    set_log_level(LogLevel::error);
    fake.open();
  }
  ~CompactedLogTools() override { set_log_level(LogLevel::info); }

  PartitionLog& log() { return *fake.log; }
  void append(const KeyedBatch& batch) {
    log().append(make_keyed_batch(log().end_offset(), batch));
  }
  /// Batches of four: of the first the last two records stay, and so on, until of the last all do;
  /// every fifth is deleted keys, every third is compressed.
  void fill(int batches = 20) {
    for (int i = 0; i < batches; ++i) {
      KeyedBatch batch;
      batch.first_timestamp = 1'000 + log().end_offset();
      if (i % 3 == 0) batch.codec = protocol::Codec::lz4;
      for (int record = 0; record < 4; ++record) {
        const std::string key = fmt::format("k{}", record < 2 ? record : 4 * i + record);
        batch.records.push_back({key, std::string(20, static_cast<char>('a' + i % 26))});
        if (i % 5 == 4) batch.records.back().value.reset();
      }
      append(batch);
    }
    fake.flush();
    log().seal_if_due(long_after);
  }
  void compact_all() {
    const Result<CompactionReport> report = compact(log(), now);
    CHECK_MSG(report.has_value(), report.error().message);
    CHECK(report->records_kept < report->records_read);
  }
  /// Under a checkpoint: several compacted segments, and some plain ones behind them.
  void make_log() {
    fill();
    compact_all();
    fill(6);
    close();
  }
  void close() {
    fake.close();
    fake.start_process();
  }
  std::vector<SeenRecord> records() {
    fake.reopen();
    std::vector<SeenRecord> found = read_records(log()).value();
    fake.start_process();
    return found;
  }
  std::vector<std::string> names(std::string_view suffix) const {
    std::vector<std::string> found = fake.files();
    std::erase_if(found, [&](const std::string& file) { return !file.ends_with(suffix); });
    return found;
  }
  static bool is_compacted(const std::string& file) {
    return file.substr(file.find_last_of('/')).find('.', 22) != std::string::npos;
  }
  std::vector<std::string> compacted_logs() const {
    std::vector<std::string> found = names(".log");
    std::erase_if(found, [](const std::string& file) { return !is_compacted(file); });
    return found;
  }
  Files contents(const std::vector<std::string>& files) const {
    Files found;
    for (const std::string& file : files) found[file] = fake.disk.content(file);
    return found;
  }
  void put_back(const Files& files) {
    for (const auto& [file, content] : files) fake.disk.set_content(file, content);
  }
  /// Where each batch of a segment begins.
  std::map<std::uint64_t, protocol::BatchHeader> batches(const std::string& file) const {
    std::map<std::uint64_t, protocol::BatchHeader> found;
    const Bytes bytes = fake.disk.content(file);
    for (std::uint64_t at = 0; at < bytes.size(); at += found.rbegin()->second.size()) {
      found[at] = protocol::read_batch_header(ByteView(bytes).subspan(at));
    }
    return found;
  }
  VerifyReport verify() {
    return verify_logs(fake.disk, fake.directory, {.records = true}).value();
  }
  std::vector<std::string> dump(const DumpOptions& options = {.records = true}) {
    std::vector<std::string> lines;
    dumped_damages = dump_logs(fake.disk, fake.directory, options, [&](std::string_view line) {
                       lines.emplace_back(line);
                     }).value();
    return lines;
  }
  /// The offsets of the records that dump shows.
  std::vector<Offset> dumped_offsets() {
    std::vector<Offset> offsets;
    for (const std::string& line : dump()) {
      if (line.starts_with("    offset=")) offsets.push_back(std::stoll(line.substr(11)));
    }
    return offsets;
  }
  /// That the log goes on as any other: takes records, is compacted again, starts again.
  void expect_usable() {
    fake.reopen();
    append({.records = {{"k0", "new"}, {"fresh", "1"}}, .first_timestamp = 90'000});
    fake.flush();
    log().seal_if_due(long_after);
    ASSERT_TRUE(compact(log(), now + 1).has_value());
    close();
    EXPECT_TRUE(verify().sound());
    EXPECT_THAT(records(), Contains(::testing::Field(&SeenRecord::record,
                                                     KeyedRecord{"k0", std::string("new")})));
  }
};

std::vector<Offset> offsets_of(const std::vector<SeenRecord>& records) {
  std::vector<Offset> offsets;
  for (const SeenRecord& record : records) offsets.push_back(record.offset);
  return offsets;
}

TEST_F(CompactedLogTools, ASoundLogIsSoundAndCounted) {
  make_log();
  ASSERT_GT(compacted_logs().size(), 2u);
  const VerifyReport report = verify();
  EXPECT_TRUE(report.sound());
  EXPECT_EQ(report.records, records().size());
  EXPECT_EQ(report.segments, names(".log").size());
  EXPECT_EQ(report.torn_tails + report.damaged_indexes, 0u);
}

TEST_F(CompactedLogTools, DumpShowsWhatIsLeftAndNothingElse) {
  append({.records = {{"a", "1"}, {"b", "1"}, {"c", "1"}}});
  append({.records = {{"gone", "1"}}});
  append({.records = {{"a", "2"}, {"gone", std::nullopt}}});
  fake.flush();
  log().seal_if_due(long_after);
  compact_all();
  close();
  const std::vector<std::string> lines = dump();
  EXPECT_THAT(lines[0], HasSubstr(" first_dirty_offset=6"));
  EXPECT_THAT(lines, Contains(HasSubstr("/00000000000000000000.1.log size=")));
  EXPECT_THAT(lines, Contains(AllOf(HasSubstr("position=0 offsets=0..2 records=2"),
                                    Not(HasSubstr("delete_horizon")))));
  EXPECT_THAT(lines,
              Contains(AllOf(HasSubstr("offsets=4..5 records=2"),
                             HasSubstr(fmt::format(" delete_horizon={}", now + 86'400'000)))));
  EXPECT_THAT(lines, Contains(HasSubstr("offset=5 timestamp=1001 headers=1 key=\"gone\" "
                                        "value=null")));
  EXPECT_EQ(dumped_offsets(), (std::vector<Offset>{1, 2, 4, 5}));
  // A window that begins and ends in holes.
  EXPECT_THAT(dump({.from = 3, .below = 4}), SizeIs(2)) << "the log and its segment";
  EXPECT_THAT(dump({.records = true, .from = 0, .below = 1}), SizeIs(3)) << "a batch, no record";
  EXPECT_EQ(dumped_damages, 0u);
}

TEST_F(CompactedLogTools, EveryFlippedBitIsFound) {
  make_log();
  std::uint64_t flips = 0;
  for (const std::string& file : fake.files()) {
    const bool index = file.ends_with(".index");
    const std::uint64_t size = fake.disk.content(file).size();
    // A short segment has no entries, and nobody reads the header of its index.
    if (index && size == index_header_bytes) continue;
    for (std::uint64_t position = 0; position < size; ++position) {
      const auto bit = static_cast<unsigned>(position % 8);
      fake.disk.flip_bit(file, position, bit);
      const Result<VerifyReport> report = verify_logs(fake.disk, fake.directory, {});
      ASSERT_TRUE(report.has_value()) << report.error().message;
      ASSERT_EQ(report->sound(), index) << file << " " << position;
      ASSERT_TRUE(!index || report->damaged_indexes > 0) << file << " " << position;
      fake.disk.flip_bit(file, position, bit);
      flips += is_compacted(file) ? 1 : 0;
    }
  }
  EXPECT_GT(flips, 2'000u);
  EXPECT_TRUE(verify().sound());
}

TEST_F(CompactedLogTools, AMissingShortOrLongSegmentIsDamage) {
  make_log();
  for (const std::string& file : compacted_logs()) {
    const Bytes content = fake.disk.content(file);
    Bytes longer = content;
    longer.resize(content.size() + 100);
    for (const Bytes& other : {Bytes(content.begin(), content.end() - 1), longer}) {
      fake.disk.set_content(file, other);
      EXPECT_FALSE(verify().sound()) << file;
      const Result<void> opened = fake.try_open();
      ASSERT_FALSE(opened.has_value()) << file;
      EXPECT_EQ(opened.error().code, Errc::corrupt);
      EXPECT_THAT(opened.error().message, AllOf(HasSubstr(file), HasSubstr("log repair")));
    }
    ASSERT_TRUE(fake.disk.remove(file));
    EXPECT_FALSE(verify().sound()) << file;
    EXPECT_EQ(fake.try_open().error().code, Errc::corrupt) << file;
    fake.disk.set_content(file, content);
  }
  EXPECT_TRUE(verify().sound());
}

TEST_F(CompactedLogTools, DumpGoesOnBehindDamage) {
  make_log();
  const std::vector<SeenRecord> all = records();
  const std::string file = compacted_logs()[1];
  const auto [position, header] = *std::next(batches(file).begin());
  fake.disk.flip_bit(file, position + 70, 0);
  std::vector<Offset> expected;
  for (const Offset offset : offsets_of(all)) {
    if (offset < header.base_offset || offset > header.last_offset()) expected.push_back(offset);
  }
  EXPECT_EQ(dumped_offsets(), expected);
  EXPECT_EQ(dumped_damages, 1u);
}

TEST_F(CompactedLogTools, RepairKeepsWhatLiesBeforeTheDamageAndCopiesTheRest) {
  make_log();
  const std::vector<SeenRecord> all = records();
  const Files sound = contents(fake.files());
  for (const std::string& file : compacted_logs()) {
    for (const auto& [position, header] : batches(file)) {
      fake.disk.flip_bit(file, position + 65, 5);
      const RepairReport report = repair_log(fake.disk, fake.directory).value();
      EXPECT_EQ(report.first_damage.file, file);
      EXPECT_EQ(report.first_damage.position, position);
      EXPECT_THAT(report.kept_aside, Contains(file + ".damaged"));
      Bytes cut(sound.at(file).begin() + static_cast<std::ptrdiff_t>(position),
                sound.at(file).end());
      cut[65] ^= 1u << 5;
      EXPECT_EQ(fake.disk.content(file + ".damaged"), cut);
      EXPECT_TRUE(verify().sound());
      EXPECT_FALSE(repair_log(fake.disk, fake.directory).value().changed);
      std::vector<SeenRecord> expected = all;
      std::erase_if(expected, [from = header.base_offset](const SeenRecord& record) {
        return record.offset >= from;
      });
      EXPECT_EQ(records(), expected) << file << " " << position;
      expect_usable();
      for (const std::string& made : fake.files()) ASSERT_TRUE(fake.disk.remove(made));
      put_back(sound);
    }
  }
  EXPECT_EQ(records(), all);
}

// A base offset is in no CRC, and in a compacted segment one that is too large looks like a hole.
TEST_F(CompactedLogTools, RepairKeepsNoBatchWhoseOffsetOrEpochWasChanged) {
  make_log();
  const std::vector<SeenRecord> all = records();
  const Files sound = contents(fake.files());
  const std::string file = compacted_logs()[1];
  const Offset first_offset = batches(file).begin()->second.base_offset;
  std::uint64_t kept_in_segment = 0;
  for (const auto& [position, header] : batches(file)) {
    for (std::uint64_t byte = 0; byte < 16; ++byte) {
      for (unsigned bit = 0; bit < 8; ++bit) {
        fake.disk.flip_bit(file, position + byte, bit);
        const RepairReport report = repair_log(fake.disk, fake.directory).value();
        ASSERT_TRUE(report.changed);
        EXPECT_EQ(report.first_damage.file, file);
        EXPECT_LE(report.first_damage.position, position);
        ASSERT_TRUE(verify().sound());
        const std::vector<SeenRecord> left = records();
        ASSERT_LT(left.size(), all.size());
        ASSERT_TRUE(std::equal(left.begin(), left.end(), all.begin())) << position << " " << byte;
        EXPECT_LE(left.back().offset, header.base_offset);
        if (left.back().offset >= first_offset) ++kept_in_segment;
        for (const std::string& made : fake.files()) ASSERT_TRUE(fake.disk.remove(made));
        put_back(sound);
      }
    }
  }
  EXPECT_GT(kept_in_segment, 100u) << "the index says how far the segment is good";
}

TEST_F(CompactedLogTools, RepairMayBeInterruptedAnywhereAndRepeated) {
  make_log();
  const std::vector<SeenRecord> all = records();
  const Files sound = contents(fake.files());
  const std::string file = compacted_logs()[1];
  for (const CrashModel model : {CrashModel::kill, CrashModel::ordered, CrashModel::reordered}) {
    for (std::uint64_t n = 0;; ++n) {
      ASSERT_LT(n, 200u);
      for (const std::string& made : fake.files()) ASSERT_TRUE(fake.disk.remove(made));
      ASSERT_TRUE(fake.disk.sync_directory(fake.directory));
      put_back(sound);
      fake.disk.flip_bit(file, 100, 3);
      fake.disk.power_off_after(n);
      const bool repaired = repair_log(fake.disk, fake.directory).has_value();
      const bool done = !fake.disk.struck();
      EXPECT_EQ(repaired, done) << n;
      fake.crash(n, model);
      ASSERT_TRUE(repair_log(fake.disk, fake.directory)) << n;
      const VerifyReport report = verify();
      ASSERT_TRUE(report.sound()) << n << " " << to_string(report.damages[0]);
      const std::vector<SeenRecord> left = records();
      ASSERT_FALSE(left.empty()) << n;
      ASSERT_LT(left.size(), all.size()) << n;
      ASSERT_TRUE(std::equal(left.begin(), left.end(), all.begin())) << n;
      if (done) break;
    }
  }
}

// The run had written all, and the process died before the checkpoint that names it.
TEST_F(CompactedLogTools, AFinishedRunThatNoCheckpointNamesIsNoPartOfTheLog) {
  fill();
  close();
  const std::vector<SeenRecord> all = records();
  fake.open();
  CompactionJob job = LogCompaction(log()).begin({}, now, 1);
  while (job.step()) {
  }
  fake.crash(1, CrashModel::kill);
  ASSERT_GT(compacted_logs().size(), 1u);
  const VerifyReport report = verify();
  EXPECT_TRUE(report.sound());
  EXPECT_EQ(report.records, all.size());
  EXPECT_EQ(dumped_offsets(), offsets_of(all));
  EXPECT_FALSE(repair_log(fake.disk, fake.directory).value().changed);

  // Nor does it take the place of what is damaged: it would hide that records are lost.
  const std::string first = fake.file(0);
  fake.disk.flip_bit(first, std::next(batches(first).begin())->first + 65, 1);
  EXPECT_TRUE(repair_log(fake.disk, fake.directory).value().changed);
  EXPECT_EQ(offsets_of(records()), (std::vector<Offset>{0, 1, 2, 3}));
  EXPECT_THAT(compacted_logs(), SizeIs(0));
  expect_usable();
}

TEST_F(CompactedLogTools, AHalfWrittenRunIsNoPartOfTheLog) {
  fill();
  close();
  const std::vector<SeenRecord> all = records();
  std::set<std::size_t> files;
  for (int steps = 1;; ++steps) {
    fake.open();
    CompactionLimits limits;
    limits.slice_bytes = 200;
    limits.io_buffer_bytes = 100;
    CompactionJob job = LogCompaction(log()).begin(limits, now, 1);
    bool more = true;
    for (int i = 0; i < steps && more; ++i) more = job.step();
    fake.crash(static_cast<std::uint64_t>(steps), CrashModel::reordered);
    files.insert(compacted_logs().size());
    EXPECT_TRUE(verify().sound()) << steps;
    EXPECT_EQ(dumped_offsets(), offsets_of(all)) << steps;
    EXPECT_EQ(records(), all) << steps;
    EXPECT_THAT(compacted_logs(), SizeIs(0)) << "the start has removed them";
    if (!more) break;
    ASSERT_LT(steps, 500);
  }
  EXPECT_GT(files.size(), 2u);
}

// The checkpoint that names the new segments is there, the old ones were not removed yet.
TEST_F(CompactedLogTools, WhatARunHasReplacedIsNoPartOfTheLog) {
  fill();
  close();
  const Files old = contents(fake.files());
  fake.open();
  compact_all();
  close();
  const std::vector<SeenRecord> left = records();
  for (const auto& [file, content] : old) {
    if (!file.ends_with("/checkpoint")) fake.disk.set_content(file, content);
  }
  EXPECT_TRUE(verify().sound());
  EXPECT_EQ(verify().records, left.size());
  EXPECT_EQ(dumped_offsets(), offsets_of(left));
  EXPECT_FALSE(repair_log(fake.disk, fake.directory).value().changed);

  const std::string second = compacted_logs()[1];
  const Offset cut = batches(second).begin()->second.base_offset;
  fake.disk.flip_bit(second, 70, 1);
  EXPECT_TRUE(repair_log(fake.disk, fake.directory).value().changed);
  std::vector<SeenRecord> expected = left;
  std::erase_if(expected, [&](const SeenRecord& record) { return record.offset >= cut; });
  EXPECT_EQ(records(), expected) << "what was removed must not come back";
  expect_usable();
}

TEST_F(CompactedLogTools, WithoutItsCheckpointTheOriginalsCountWhileTheyAreThere) {
  fill();
  close();
  const std::vector<SeenRecord> all = records();
  const Files old = contents(fake.files());
  fake.open();
  compact_all();
  close();
  for (const auto& [file, content] : old) {
    if (!file.ends_with("/checkpoint")) fake.disk.set_content(file, content);
  }
  ASSERT_TRUE(fake.disk.remove(fake.directory + "/checkpoint"));
  fake.disk.set_content(fake.directory + "/checkpoint", Bytes{1});
  EXPECT_EQ(fake.try_open().error().code, Errc::corrupt);
  fake.start_process();
  EXPECT_FALSE(verify().sound());
  EXPECT_TRUE(repair_log(fake.disk, fake.directory).value().changed);
  EXPECT_TRUE(verify().sound());
  EXPECT_EQ(records(), all);
  expect_usable();
}

}  // namespace
}  // namespace chronik::wal::testing
