// The log seen from outside: verify, dump and repair, on logs that were damaged in every way that a
// byte can be.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/log.h"
#include "wal/log_directory.h"
#include "wal/log_dump.h"
#include "wal/log_repair.h"
#include "wal/log_verify.h"
#include "wal/test_log.h"

namespace chronik::wal {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::LogOnFakeDisk;
using testing::make_batch;
using testing::small_segments;
using testing::test_topic_id;

class LogTools : public ::testing::Test {
 protected:
  LogTools() {
    set_log_level(LogLevel::error);
    t_.open();
  }
  ~LogTools() override { set_log_level(LogLevel::info); }

  /// Batches under a checkpoint, over several segments.
  void fill_and_close(int batches = 24) {
    for (int i = 0; i < batches; ++i) t_.append(1 + i % 2, {.epoch = i / 8});
    t_.close();
  }
  /// Batches behind it, on disk, in the segment named in tail_file().
  void append_tail(int batches) {
    t_.reopen();
    for (int i = 0; i < batches; ++i) t_.append();
    t_.flush();
    t_.log.reset();
    t_.start_process();
  }
  std::string tail_file() const {
    std::string last;
    for (const std::string& file : t_.files()) {
      if (file.ends_with(".log")) last = file;
    }
    return last;
  }
  /// Where each batch of a segment begins.
  std::vector<std::uint64_t> starts(const std::string& file) const {
    std::vector<std::uint64_t> found;
    const Bytes bytes = t_.disk.content(file);
    for (std::uint64_t at = 0; at < bytes.size();) {
      found.push_back(at);
      at += protocol::read_batch_header(ByteView(bytes).subspan(at)).size();
    }
    return found;
  }
  VerifyReport verify(bool records = false) {
    return verify_logs(t_.disk, t_.directory, {.records = records}).value();
  }
  std::vector<Offset> bases() {
    t_.reopen();
    std::vector<Offset> found = t_.read_all();
    t_.log.reset();
    t_.start_process();
    return found;
  }

  LogOnFakeDisk t_;
};

TEST_F(LogTools, ASoundLogIsSoundAndCounted) {
  fill_and_close();
  append_tail(3);
  const VerifyReport report = verify(true);
  EXPECT_TRUE(report.sound());
  EXPECT_EQ(report.partitions, 1u);
  EXPECT_GT(report.segments, 2u);
  EXPECT_EQ(report.batches, 27u);
  EXPECT_EQ(report.records, 39u);
  EXPECT_EQ(report.torn_tails, 0u);
  EXPECT_EQ(report.damaged_indexes, 0u);
  std::uint64_t bytes = 0;
  for (const std::string& file : t_.files()) {
    if (file.ends_with(".log")) bytes += t_.disk.content(file).size();
  }
  EXPECT_EQ(report.bytes, bytes);
}

TEST_F(LogTools, EveryFlippedBitUnderACheckpointIsFound) {
  fill_and_close();
  std::uint64_t flips = 0;
  for (const std::string& file : t_.files()) {
    const bool index = file.ends_with(".index");
    const std::uint64_t size = t_.disk.content(file).size();
    for (std::uint64_t position = 0; position < size; ++position) {
      const auto bit = static_cast<unsigned>(position % 8);
      t_.disk.flip_bit(file, position, bit);
      const Result<VerifyReport> report = verify_logs(t_.disk, t_.directory, {});
      ASSERT_TRUE(report.has_value()) << report.error().message;
      EXPECT_EQ(report->sound(), index) << file << " " << position;
      if (index) {
        EXPECT_GT(report->damaged_indexes, 0u) << file << " " << position;
      }
      t_.disk.flip_bit(file, position, bit);
      ++flips;
    }
  }
  EXPECT_GT(flips, 2000u);
  EXPECT_TRUE(verify().sound());
}

// What lies behind the checkpoint is judged at every start: damage with good batches behind it is
// never cut, and the same damage in the last batch looks like a write that was under way.
TEST_F(LogTools, EveryFlippedBitBehindTheCheckpointStopsTheStartOrIsATornTail) {
  fill_and_close();
  const std::string checkpointed = tail_file();
  const std::uint64_t known = t_.disk.content(checkpointed).size();
  append_tail(5);
  ASSERT_EQ(tail_file(), checkpointed) << "the tail must not begin a segment";
  const std::vector<Offset> all = bases();
  const std::uint64_t last = starts(checkpointed).back();
  const Bytes content = t_.disk.content(checkpointed);
  for (std::uint64_t position = known; position < content.size(); ++position) {
    const auto bit = static_cast<unsigned>(position % 8);
    t_.disk.flip_bit(checkpointed, position, bit);
    const VerifyReport report = verify();
    const Result<void> opened = t_.try_open();
    const std::uint64_t in_last = position < last ? 0 : position - last;
    // Of the last batch, what the CRC leaves out: base offset, leader epoch, magic.
    const bool epoch = position >= last && in_last >= 12 && in_last < 16;
    const bool epoch_rose = epoch && report.sound();
    if (position < last || in_last < 8 || (epoch && !epoch_rose) || in_last == 16) {
      EXPECT_FALSE(report.sound()) << position;
      EXPECT_EQ(report.torn_tails, 0u) << position;
      ASSERT_FALSE(opened.has_value()) << position;
      EXPECT_EQ(opened.error().code, Errc::corrupt);
      EXPECT_THAT(opened.error().message,
                  AllOf(HasSubstr(checkpointed), HasSubstr("position "),
                        HasSubstr("`chronik log repair " + t_.directory + "`")));
      EXPECT_EQ(t_.disk.content(checkpointed).size(), content.size()) << "nothing may be cut";
    } else {
      // An epoch that only rose in the very last batch cannot be told from a right one.
      EXPECT_TRUE(report.sound()) << position;
      EXPECT_EQ(report.torn_tails, epoch_rose ? 0u : 1u) << position;
      ASSERT_TRUE(opened.has_value()) << position;
      EXPECT_EQ(t_.read_all().size(), all.size() - (epoch_rose ? 0 : 1)) << position;
    }
    t_.log.reset();
    t_.start_process();
    t_.disk.set_content(checkpointed, content);
  }
  EXPECT_EQ(bases(), all);
}

TEST_F(LogTools, ATailTornAtAnyByteIsNoDamage) {
  fill_and_close();
  append_tail(3);
  const std::string file = tail_file();
  const std::vector<Offset> all = bases();
  const std::uint64_t last = starts(file).back();
  const Bytes content = t_.disk.content(file);
  for (std::uint64_t size = last; size < content.size(); ++size) {
    t_.disk.set_content(file, Bytes(content.begin(), content.begin() + std::ptrdiff_t(size)));
    const VerifyReport report = verify();
    EXPECT_TRUE(report.sound()) << size;
    EXPECT_EQ(report.torn_tails, size == last ? 0u : 1u) << size;
    EXPECT_EQ(bases(), std::vector<Offset>(all.begin(), all.end() - 1)) << size;
    // The same file with a new segment begun behind it: its name came to the disk before it.
    t_.disk.set_content(file, Bytes(content.begin(), content.begin() + std::ptrdiff_t(size)));
    const std::string next = t_.file(all.back() + 1);
    t_.disk.set_content(next, {});
    EXPECT_TRUE(verify().sound()) << size;
    EXPECT_EQ(bases().size(), all.size() - 1) << size;
    EXPECT_FALSE(t_.disk.exists(next).value());
  }
}

TEST_F(LogTools, AMissingOrShortSegmentIsDamage) {
  fill_and_close();
  const auto segments = [&] {
    std::vector<std::string> found = t_.files();
    std::erase_if(found, [](const std::string& file) { return !file.ends_with(".log"); });
    return found;
  }();
  ASSERT_GT(segments.size(), 2u);
  for (const std::string& file : segments) {
    const Bytes content = t_.disk.content(file);
    t_.disk.set_content(file, Bytes(content.begin(), content.end() - 1));
    EXPECT_FALSE(verify().sound()) << file;
    EXPECT_EQ(t_.try_open().error().code, Errc::corrupt) << file;
    ASSERT_TRUE(t_.disk.remove(file));
    EXPECT_FALSE(verify().sound()) << file;
    EXPECT_EQ(t_.try_open().error().code, Errc::corrupt) << file;
    t_.disk.set_content(file, content);
  }
  EXPECT_TRUE(verify().sound());
}

TEST_F(LogTools, RecordsThatCannotBeReadAreFoundWhenAsked) {
  SharedBytes batch = make_batch({.records = 2});
  MutableByteView view = batch.mutable_view();
  view[protocol::batch_header_size] = 0x7f;  // the length of the first record
  protocol::BatchHeader header = protocol::read_batch_header(view);
  header.crc = protocol::compute_batch_crc(view);
  protocol::write_batch_header(header, view);
  t_.log->append(batch);
  t_.close();
  EXPECT_TRUE(verify(false).sound());
  const VerifyReport report = verify(true);
  ASSERT_EQ(report.damages.size(), 1u);
  EXPECT_TRUE(report.damages[0].in_records);
  EXPECT_TRUE(t_.try_open()) << "stops no start";
}

TEST_F(LogTools, RepairKeepsWhatLiesBeforeTheDamageAndCopiesTheRest) {
  fill_and_close();
  append_tail(5);
  const std::string file = tail_file();
  const std::vector<Offset> all = bases();
  const std::uint64_t third_last = starts(file).end()[-3];
  t_.disk.flip_bit(file, third_last + 70, 0);
  const Bytes before = t_.disk.content(file);
  ASSERT_FALSE(t_.try_open());
  t_.log.reset();
  t_.start_process();

  const RepairReport report = repair_log(t_.disk, t_.directory).value();
  EXPECT_TRUE(report.changed);
  EXPECT_EQ(report.first_damage.file, file);
  EXPECT_EQ(report.first_damage.position, third_last);
  EXPECT_FALSE(report.log_start_lost);
  EXPECT_THAT(report.kept_aside, ElementsAre(file + ".damaged"));
  EXPECT_EQ(t_.disk.content(file + ".damaged"),
            Bytes(before.begin() + std::ptrdiff_t(third_last), before.end()));
  EXPECT_EQ(report.bytes_taken, before.size() - third_last);

  EXPECT_TRUE(verify(true).sound());
  EXPECT_FALSE(repair_log(t_.disk, t_.directory).value().changed) << "once is enough";
  EXPECT_EQ(bases(), std::vector<Offset>(all.begin(), all.end() - 3));
  // And it is a log as any other.
  t_.reopen();
  EXPECT_EQ(t_.log->end_offset(), report.end_offset);
  EXPECT_EQ(t_.derived.seen.size(), all.size() - 3) << "derived state is computed anew";
  t_.append(3);
  t_.close();
  EXPECT_TRUE(verify(true).sound());
  EXPECT_EQ(bases().size(), all.size() - 2);
}

TEST_F(LogTools, RepairTakesAwayTheSegmentsBehindADamagedOne) {
  fill_and_close(40);
  std::vector<std::string> logs = t_.files();
  std::erase_if(logs, [](const std::string& file) { return !file.ends_with(".log"); });
  ASSERT_GT(logs.size(), 3u);
  const std::vector<std::uint64_t> second = starts(logs[1]);
  t_.disk.flip_bit(logs[1], second[1] + 65, 3);
  const RepairReport report = repair_log(t_.disk, t_.directory).value();
  EXPECT_EQ(report.kept_aside.size(), logs.size() - 1);
  for (std::size_t i = 2; i < logs.size(); ++i) {
    EXPECT_FALSE(t_.disk.exists(logs[i]).value());
    EXPECT_TRUE(t_.disk.exists(logs[i] + ".damaged").value());
  }
  EXPECT_TRUE(verify(true).sound());
  EXPECT_EQ(bases().size(), starts(logs[0]).size() + 1);
}

TEST_F(LogTools, RepairKeepsAllRecordsWhenOnlyTheCheckpointIsDamaged) {
  fill_and_close();
  const std::vector<Offset> all = bases();
  t_.disk.flip_bit(t_.directory + "/checkpoint", 40, 1);
  EXPECT_EQ(t_.try_open().error().code, Errc::corrupt);
  t_.start_process();
  const RepairReport report = repair_log(t_.disk, t_.directory).value();
  EXPECT_TRUE(report.changed);
  EXPECT_TRUE(report.log_start_lost);
  EXPECT_EQ(report.bytes_taken, 0u);
  EXPECT_TRUE(verify(true).sound());
  EXPECT_EQ(bases(), all);
}

// The end was taken from the name of the file: offsets that nobody wrote were missing from the log.
TEST_F(LogTools, RepairEndsTheLogWithItsLastEntryWhateverFileIsBehind) {
  for (int i = 0; i < 24; ++i) t_.append();
  t_.flush();
  const std::vector<Offset> all = bases();
  t_.disk.set_content(t_.file(246), t_.disk.content(t_.file(0)));
  EXPECT_EQ(t_.try_open().error().code, Errc::corrupt);
  const RepairReport report = repair_log(t_.disk, t_.directory).value();
  EXPECT_EQ(report.end_offset, 24);
  EXPECT_TRUE(verify(true).sound());
  EXPECT_EQ(bases(), all);
}

// It was taken for a log that begins with its second segment.
TEST_F(LogTools, AYoungLogThatLostItsFirstSegmentIsRefused) {
  for (int i = 0; i < 40; ++i) t_.append();
  t_.flush();
  const Bytes first = t_.disk.content(t_.file(0));
  const std::vector<std::uint64_t> lost = starts(t_.file(0));
  const std::vector<Offset> all = bases();
  for (const bool removed : {false, true}) {
    t_.disk.set_content(t_.file(0), {});
    if (removed) {
      ASSERT_TRUE(t_.disk.remove(t_.file(0)));
    }
    EXPECT_FALSE(verify().sound()) << removed;
    EXPECT_EQ(t_.try_open().error().code, Errc::corrupt) << removed;
    t_.disk.set_content(t_.file(0), first);
    EXPECT_EQ(bases(), all);
  }
  ASSERT_TRUE(t_.disk.remove(t_.file(0)));
  const RepairReport report = repair_log(t_.disk, t_.directory).value();
  EXPECT_EQ(report.log_start_offset, static_cast<Offset>(lost.size()));
  EXPECT_TRUE(report.log_start_lost);
  EXPECT_TRUE(verify(true).sound());
  EXPECT_EQ(bases(), std::vector<Offset>(all.begin() + std::ptrdiff_t(lost.size()), all.end()));
}

// It said each time that it had repaired the directory, and changed nothing of what was wrong.
TEST_F(LogTools, RepairDoesNotChooseBetweenTopics) {
  fill_and_close();
  const std::string other = t_.directory + "/" + topic_file_name(test_topic_id(2));
  t_.disk.set_content(other, {});
  EXPECT_FALSE(verify().sound());
  EXPECT_THAT(repair_log(t_.disk, t_.directory).error().message, HasSubstr(".topic"));
  ASSERT_TRUE(t_.disk.remove(t_.directory + "/" + topic_file_name(test_topic_id())));
  EXPECT_FALSE(verify().sound());
  EXPECT_THAT(repair_log(t_.disk, t_.directory).error().message, HasSubstr(".topic"));
}

TEST_F(LogTools, RepairMayBeInterruptedAnywhereAndRepeated) {
  for (const CrashModel model : {CrashModel::kill, CrashModel::ordered, CrashModel::reordered}) {
    for (std::uint64_t n = 0;; ++n) {
      LogOnFakeDisk t;
      t.open();
      for (int i = 0; i < 20; ++i) t.append();
      t.close();
      std::vector<std::string> logs = t.files();
      std::erase_if(logs, [](const std::string& file) { return !file.ends_with(".log"); });
      t.disk.flip_bit(logs[1], 100, 3);
      t.disk.power_off_after(n);
      const Result<RepairReport> first = repair_log(t.disk, t.directory);
      const bool done = !t.disk.struck();
      t.crash(n, model);
      ASSERT_TRUE(repair_log(t.disk, t.directory)) << n;
      const Result<VerifyReport> report = verify_logs(t.disk, t.directory, {.records = true});
      ASSERT_TRUE(report.has_value()) << n;
      ASSERT_TRUE(report->sound()) << n << " " << to_string(report->damages[0]);
      t.open();
      const std::vector<Offset> kept = t.read_all();
      ASSERT_GT(kept.size(), 5u) << n;
      ASSERT_LT(kept.size(), 20u) << n;
      if (done) break;
      ASSERT_LT(n, 200u);
    }
  }
}

TEST_F(LogTools, RepairRefusesWhatIsNoPartitionOrInUse) {
  fill_and_close();
  t_.disk.set_content("/data/chronik.stamp", {});
  EXPECT_EQ(repair_log(t_.disk, "/data").error().code, Errc::invalid_argument);
  EXPECT_EQ(repair_log(t_.disk, "/nowhere/t-0").error().code, Errc::not_found);
  const auto lock = t_.disk.lock("/data/chronik.lock");
  ASSERT_TRUE(lock);
  EXPECT_EQ(repair_log(t_.disk, t_.directory).error().code, Errc::busy);
}

TEST_F(LogTools, EveryFlippedBitOfTheStampIsFound) {
  fill_and_close();
  {
    auto directory = LogDirectory::open(t_.disk, "/data", {}).value();
    ASSERT_TRUE(directory->write_stamp({1,
                                        "Some-Cluster",
                                        3,
                                        test_topic_id(),
                                        {{3, test_topic_id()}, {4, Uuid::from_random(1, 1)}}}));
  }
  EXPECT_TRUE(verify_logs(t_.disk, "/data", {}).value().sound());
  const std::uint64_t size = t_.disk.content("/data/chronik.stamp").size();
  for (std::uint64_t position = 0; position < size; ++position) {
    t_.disk.flip_bit("/data/chronik.stamp", position, position % 8);
    const Result<VerifyReport> report = verify_logs(t_.disk, "/data", {});
    const bool newer = !report && report.error().code == Errc::unsupported;
    EXPECT_TRUE(newer || !report->sound()) << position;
    EXPECT_FALSE(LogDirectory::open(t_.disk, "/data", {}).has_value()) << position;
    t_.disk.flip_bit("/data/chronik.stamp", position, position % 8);
  }
}

TEST_F(LogTools, TheStampIsReadAsItWasWritten) {
  fill_and_close();
  const Founder one{1, test_topic_id()};
  const Founder two{2, Uuid::from_random(2, 2)};
  for (const DirectoryStamp& stamp :
       {DirectoryStamp{1, "", 1, one.directory}, DirectoryStamp{1, "Alone", 1, one.directory},
        DirectoryStamp{1, "Several", 1, one.directory, {one, two}}}) {
    ASSERT_TRUE(LogDirectory::open(t_.disk, "/data", {}).value()->write_stamp(stamp));
    EXPECT_EQ(read_stamp(t_.disk, "/data").value(), stamp);
  }
}

TEST_F(LogTools, ADirectoryOfNoClusterYetGoesIntoAnyButNotToAnotherNode) {
  fill_and_close();
  auto directory = LogDirectory::open(t_.disk, "/data", {}).value();
  ASSERT_TRUE(directory->write_stamp({1, "", 3, test_topic_id()}));
  EXPECT_TRUE(directory->check_stamp("Any", 3));
  EXPECT_FALSE(directory->check_stamp("Any", 4));
  ASSERT_TRUE(directory->write_stamp({1, "One", 3, test_topic_id()}));
  EXPECT_TRUE(directory->check_stamp("One", 3));
  EXPECT_FALSE(directory->check_stamp("Any", 3));
}

TEST_F(LogTools, AWholeDataDirectoryIsRead) {
  fill_and_close();
  t_.disk.set_content("/data/chronik.stamp", {});
  ASSERT_TRUE(t_.disk.remove("/data/chronik.stamp"));
  EXPECT_EQ(verify_logs(t_.disk, "/data", {}).value().partitions, 1u);
  EXPECT_EQ(verify_logs(t_.disk, "/data/", {}).value().partitions, 1u);
  EXPECT_EQ(verify_logs(t_.disk, "/", {}).error().code, Errc::invalid_argument);
  EXPECT_EQ(verify_logs(t_.disk, "/elsewhere", {}).error().code, Errc::not_found);
}

// The process died between the rename and its sync, and the next one had begun to remove the files.
TEST_F(LogTools, APartitionThatIsFoundDeletedDoesNotComeBackInPart) {
  fill_and_close();
  const std::string aside = "/data/" + deleted_directory_name(test_topic_id(), 0);
  ASSERT_TRUE(t_.disk.rename(t_.directory, aside));
  t_.crash(1, CrashModel::kill);
  {
    auto directory = LogDirectory::open(t_.disk, "/data", {}).value();
    EXPECT_THAT(directory->find_partitions().value().deleted, ElementsAre(aside));
  }
  ASSERT_TRUE(t_.disk.remove(aside + "/" + topic_file_name(test_topic_id())));
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto disk = t_.disk.clone();
    Random random(seed);
    disk->crash(random, CrashModel::reordered);
    EXPECT_FALSE(disk->exists(t_.directory).value()) << seed;
  }
}

TEST_F(LogTools, LongWorkTellsHowFarItIs) {
  t_.log->set_settings(small_segments(100'000'000));
  for (int i = 0; i < 5; ++i) t_.append(1, {.value_bytes = 8'000'000});
  t_.close();
  std::vector<std::uint64_t> told;
  const VerifyCallbacks callbacks{
      .on_progress = [&](const ScanProgress& progress) { told.push_back(progress.bytes); }};
  ASSERT_TRUE(verify_logs(t_.disk, t_.directory, {}, callbacks));
  EXPECT_EQ(told.size(), 2u) << "one for each 16 MiB";
}

class LogDump : public LogTools {
 protected:
  std::vector<std::string> dump(const DumpOptions& options = {}) {
    std::vector<std::string> lines;
    const auto damages = dump_logs(t_.disk, t_.directory, options,
                                   [&](std::string_view line) { lines.emplace_back(line); });
    damages_ = damages.value();
    return lines;
  }
  std::uint64_t damages_ = 0;
};

TEST_F(LogDump, SaysWhatLiesThere) {
  t_.append(2, {.epoch = 3});
  t_.append(1, {.epoch = 3});
  t_.close();
  const std::vector<std::string> lines = dump();
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(lines[0], "/data/t-0 topic_id=" + test_topic_id().to_string() +
                          " log_start_offset=0 checkpoint_end_offset=3 checkpoint_last_index=2 "
                          "segments=1 epochs=1 derived_bytes=24");
  EXPECT_THAT(lines[1], HasSubstr("/data/t-0/00000000000000000000.log size="));
  EXPECT_THAT(lines[2], AllOf(HasSubstr("  position=0 offsets=0..1 records=2 index=1 epoch=3 "),
                              HasSubstr("codec=none max_create_time=1001")));
  EXPECT_THAT(lines[3], HasSubstr("offsets=2..2 records=1 index=2 epoch=3 "));
  EXPECT_EQ(damages_, 0u);
}

TEST_F(LogDump, ShowsRecordsAndAWindowOfOffsets) {
  protocol::BatchBuilder builder({.base_offset = 0, .leader_epoch = 0});
  const std::string key = "a \"key\"";
  const std::string value = std::string("\x01", 1) + std::string(100, 'v');
  builder.append(5, as_bytes(key), as_bytes(value));
  builder.append(6, std::nullopt, std::nullopt);
  t_.log->append(builder.build());
  t_.append(1);
  t_.close();
  EXPECT_THAT(dump({.records = true, .preview_bytes = 4}),
              AllOf(Contains("    offset=0 timestamp=5 headers=0 key=\"a \\\"k\"+7 "
                             "value=\"\\x01vvv\"+101"),
                    Contains("    offset=1 timestamp=6 headers=0 key=null value=null")));
  EXPECT_EQ(dump({.from = 2}).size(), 3u);
  EXPECT_EQ(dump({.below = 2}).size(), 3u);
  EXPECT_EQ(dump({.records = true, .from = 1, .below = 2}).size(), 4u);
}

TEST_F(LogDump, CountsDamageAndGoesOnBehindIt) {
  fill_and_close();
  append_tail(4);
  const std::string file = tail_file();
  t_.disk.flip_bit(file, starts(file).end()[-2] + 70, 0);
  const std::vector<std::string> lines = dump();
  EXPECT_EQ(damages_, 1u);
  EXPECT_THAT(lines, Contains(HasSubstr("DAMAGE: its CRC is")));
  EXPECT_THAT(lines.back(), HasSubstr("position=")) << "the batch behind it";
}

}  // namespace
}  // namespace chronik::wal
