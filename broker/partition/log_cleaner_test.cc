#include "broker/partition/log_cleaner.h"

#include <gtest/gtest.h>

#include <array>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/memory_disk.h"
#include "protocol/record_builder.h"
#include "wal/io_executor.h"

namespace chronik::broker {
namespace {

constexpr milliseconds backoff{15'000};
constexpr std::string_view first_segment = "/00000000000000000000.log";

/// Topics of one partition on two shards and a fake disk, and the cleaner over them. Time and the
/// shards move when the test says so; only the background thread is one.
struct LogCleanerTest : testing::Test {
  struct Side {
    wal::ManualIoExecutor io;
    std::unique_ptr<ShardStorage> storage;
    std::unique_ptr<Partitions> partitions;
  };
  struct Log {
    metadata::Topic topic;
    std::uint32_t shard = 0;
    std::shared_ptr<wal::LogSettings> settings;
    int keys = 0;  // so far; each is new
  };

  ManualClock clock;
  MemoryDisk disk;
  std::unique_ptr<wal::LogDirectory> directory;
  Shards shards{2, clock, 1, Shard::Mode::manual};
  std::array<Side, 2> sides;
  std::map<std::string, Log> logs;
  LogCleanerOptions options;
  BackgroundThread background{"cleaner", BackgroundThread::Priority::normal};
  std::unique_ptr<LogCleaner> cleaner;
  Gate ending;
  bool ended = false;
  std::mutex mutex;  // of what the hook of the disk notes
  std::vector<std::string> compacted;
  std::uint64_t calls = 0;

  LogCleanerTest() {
    set_log_level(LogLevel::error);
    options.backoff = backoff;
    directory = wal::LogDirectory::open(disk, "/data", {}).value();
    for (std::uint32_t id = 0; id < sides.size(); ++id) {
      Side& side = sides[id];
      shards.at(id).run([&] {
        side.storage = std::make_unique<ShardStorage>(shards.at(id), disk, side.io);
        side.partitions = std::make_unique<Partitions>(
            shards.at(id), *side.storage, *directory,
            [this](const metadata::Topic& topic) { return settings_of(topic.name); },
            milliseconds(300'000));
      });
    }
    disk.set_hook(
        [this](DiskOperation operation, const std::string& path) { note(operation, path); });
    shards.first().run([&] {
      std::vector<Partitions*> partitions{sides[0].partitions.get(), sides[1].partitions.get()};
      cleaner = std::make_unique<LogCleaner>(
          shards, std::move(partitions), background, [this] { return options; }, Random(1));
    });
  }

  ~LogCleanerTest() override {
    stop();
    background.stop();
    shards.first().run([&] { cleaner.reset(); });
    for (std::uint32_t id = 0; id < sides.size(); ++id) {
      sides[id].io.abandon();
      shards.at(id).run([&] {
        sides[id].partitions.reset();
        sides[id].storage.reset();
      });
    }
    set_log_level(LogLevel::info);
  }

  /// Which log got a new segment, once for a run.
  void note(DiskOperation operation, const std::string& path) {
    const std::lock_guard lock(mutex);
    ++calls;
    const std::string name = path.substr(path.find_last_of('/') + 1);
    const bool made = operation == DiskOperation::create && name.ends_with(".log") &&
                      std::count(name.begin(), name.end(), '.') == 2;
    if (!made) return;
    const std::string topic = path.substr(6, path.find_last_of('-') - 6);  // behind "/data/"
    if (compacted.empty() || compacted.back() != topic) compacted.push_back(topic);
  }
  std::vector<std::string> take_compacted() {
    const std::lock_guard lock(mutex);
    return std::exchange(compacted, {});
  }
  std::uint64_t calls_so_far() {
    const std::lock_guard lock(mutex);
    return calls;
  }

  std::shared_ptr<const PartitionSettings> settings_of(const std::string& topic) {
    auto settings = std::make_shared<PartitionSettings>();
    settings->log = std::make_shared<wal::LogSettings>(*logs.at(topic).settings);
    return settings;
  }

  /// A topic whose partition lives on `shard`, compacted as soon as half of it is dirty.
  wal::LogSettings& add(const std::string& name, std::uint32_t shard = 0) {
    Log& log = logs[name];
    log.topic.name = name;
    log.topic.partitions.resize(1);
    log.shard = shard;
    for (std::uint64_t n = logs.size() * 100;
         n == logs.size() * 100 || shard_of(log.topic.id, 0, 2) != shard; ++n) {
      log.topic.id = Uuid::from_random(n << 56, n);
    }
    log.settings = std::make_shared<wal::LogSettings>();
    log.settings->segment_bytes = 1'000;
    log.settings->compact = true;
    log.settings->delete_old = false;
    return *log.settings;
  }
  Partition& partition(const std::string& name) {
    const Log& log = logs.at(name);
    return *sides[log.shard].partitions->get(log.topic, 0);
  }
  void settings_changed(const std::string& name) {
    shards.at(logs.at(name).shard).run([&] { partition(name).set_settings(settings_of(name)); });
  }
  Offset first_dirty(const std::string& name) { return partition(name).log().first_dirty_offset(); }
  std::string path(const std::string& name) { return directory->partition_path(name, 0); }

  /// So many records of 100 bytes, each with a key of its own.
  void append(const std::string& name, int count) {
    Log& log = logs.at(name);
    for (int i = 0; i < count; ++i) {
      protocol::BatchBuilder builder({});
      builder.append(clock.now_ms(), as_bytes("key " + std::to_string(log.keys++)),
                     as_bytes(std::string(100, 'v')));
      shards.at(log.shard).run([&] {
        const AppendResult result =
            partition(name).append(builder.build(), {.now = clock.now_ms()});
        ASSERT_EQ(result.error, protocol::ErrorCode::none) << result.message;
      });
    }
    run_disk();
  }
  void run_disk() {
    for (std::uint32_t id = 0; id < sides.size(); ++id) {
      shards.at(id).run([&] { sides[id].io.run_all(); });
    }
  }

  void start() {
    shards.first().run([&] { cleaner->start(); });
    settle();
  }
  /// Until all that can be done at this time is done.
  void settle() {
    constexpr int quiet_enough = 10;
    std::uint64_t before = 0;
    for (int quiet = 0; quiet < quiet_enough; ++quiet) {
      before = calls_so_far();
      for (int turn = 0; turn < 3; ++turn) {
        run_disk();
        std::promise<void> reached;
        background.run(
            shards.first(), [&] { reached.set_value(); }, [] {});
        reached.get_future().wait();
      }
      if (calls_so_far() != before) quiet = 0;
    }
  }
  void advance(milliseconds step) {
    clock.advance(step);
    settle();
  }
  Task<void> end() {
    Task<void> stopped = cleaner->stop();
    co_await std::move(stopped);
    ended = true;
  }
  void stop() {
    if (ended) return;
    shards.first().run([&] { CHECK(spawn(end(), ending)); });
    settle();
    // A run that waits for its allowance looks up ten times a second.
    if (!ended) advance(milliseconds(101));
    CHECK(ended);
  }

  /// A log of which `clean` records are compacted already and `dirty` ones are not. Before start().
  void prepare(const std::string& name, int clean, int dirty) {
    append(name, clean);
    shards.at(logs.at(name).shard).run([&] {
      Partition& of = partition(name);
      const Timestamp now = clock.now_ms();
      wal::CompactionJob job = of.begin_compaction({}, now, 1);
      while (job.step()) {
      }
      ASSERT_TRUE(of.end_compaction(std::move(job)));
    });
    append(name, dirty);
    take_compacted();
  }
};

TEST_F(LogCleanerTest, EveryDirtyLogIsCompacted) {
  add("here", 0);
  add("there", 1);
  add("kept", 1).compact = false;
  for (const std::string name : {"here", "there", "kept"}) append(name, 20);
  start();
  EXPECT_GT(first_dirty("here"), 10);
  EXPECT_GT(first_dirty("there"), 10);
  EXPECT_EQ(first_dirty("kept"), 0);
  EXPECT_EQ(take_compacted().size(), 2u) << "one run each";
}

TEST_F(LogCleanerTest, ALogThatGetsDirtyLaterIsFoundAfterTheBackoff) {
  add("late");
  start();
  append("late", 20);
  advance(backoff - milliseconds(1));
  EXPECT_EQ(first_dirty("late"), 0);
  advance(milliseconds(1));
  const Offset once = first_dirty("late");
  EXPECT_GT(once, 10);
  append("late", 40);
  advance(backoff);
  EXPECT_GT(first_dirty("late"), once + 30);
}

TEST_F(LogCleanerTest, TheFilthiestOfAllShardsGoesFirst) {
  using Order = std::vector<std::string>;
  for (const auto& [name, shard] : {std::pair("fair", 0), {"filthy", 1}, {"soiled", 0}}) {
    add(name, static_cast<std::uint32_t>(shard)).min_cleanable_dirty_ratio = 0.05;
  }
  prepare("fair", 40, 15);
  prepare("filthy", 15, 60);
  prepare("soiled", 40, 40);
  start();
  EXPECT_EQ(take_compacted(), (Order{"filthy", "soiled", "fair"}));
  append("fair", 200);
  append("filthy", 20);
  append("soiled", 60);
  advance(backoff);
  EXPECT_EQ(take_compacted(), (Order{"fair", "soiled", "filthy"}));
}

TEST_F(LogCleanerTest, MinCleanableDirtyRatioIsObeyedAndMayChange) {
  wal::LogSettings& settings = add("a");
  prepare("a", 60, 30);
  const Offset before = first_dirty("a");
  start();
  advance(10 * backoff);
  EXPECT_EQ(first_dirty("a"), before);
  settings.min_cleanable_dirty_ratio = 0.2;
  settings_changed("a");
  advance(backoff);
  EXPECT_GT(first_dirty("a"), before + 20);
}

TEST_F(LogCleanerTest, MinCompactionLagProtectsWhatIsYoung) {
  add("a").min_compaction_lag = std::chrono::minutes(5);
  append("a", 20);
  start();
  advance(std::chrono::minutes(4));
  EXPECT_EQ(first_dirty("a"), 0);
  append("a", 20);
  advance(std::chrono::minutes(1) + backoff);
  EXPECT_GT(first_dirty("a"), 10);
  EXPECT_LE(first_dirty("a"), 20) << "these are too young";
}

TEST_F(LogCleanerTest, MaxCompactionLagGoesBeforeTheDirtyRatio) {
  wal::LogSettings& settings = add("a");
  settings.max_compaction_lag = std::chrono::minutes(5);
  settings.min_cleanable_dirty_ratio = 1.0;
  append("a", 4);
  start();
  advance(std::chrono::minutes(4));
  EXPECT_EQ(first_dirty("a"), 0);
  advance(std::chrono::minutes(1) + backoff);
  // Twice: what closed the active segment is seen first, once that is on disk.
  advance(backoff);
  EXPECT_EQ(first_dirty("a"), 4) << "the active segment too";
}

TEST_F(LogCleanerTest, ADamagedLogIsLeftAloneAndStopsNoOther) {
  for (const char* name : {"damaged", "next", "last"}) add(name);
  prepare("next", 20, 40);
  prepare("last", 30, 40);
  append("damaged", 40);
  const std::string file = path("damaged") + std::string(first_segment);
  disk.flip_bit(file, 100, 3);
  const Bytes before = disk.content(file);
  start();
  EXPECT_GT(first_dirty("next"), 50);
  EXPECT_GT(first_dirty("last"), 60);
  EXPECT_EQ(first_dirty("damaged"), 0);
  EXPECT_EQ(disk.content(file), before);
  take_compacted();
  for (const char* name : {"damaged", "next", "last"}) append(name, 100);
  advance(backoff);
  EXPECT_EQ(take_compacted().size(), 2u);
  EXPECT_EQ(first_dirty("damaged"), 0);
}

// A run that fails for want of space is tried again; the filthiest log would have every turn.
TEST_F(LogCleanerTest, ALogThatDoesNotFitOnTheDiskStopsNoOther) {
  add("big").segment_bytes = 20'000;  // written as a whole, or not at all
  add("small");
  prepare("small", 6, 12);
  append("big", 200);
  disk.set_capacity(disk.used_bytes() + 6'000);
  start();
  EXPECT_EQ(first_dirty("big"), 0);
  EXPECT_GT(first_dirty("small"), 10);
  disk.set_capacity(1 << 30);
  advance(backoff);
  EXPECT_GT(first_dirty("big"), 90);
}

TEST_F(LogCleanerTest, ARunIsNoFasterThanAllowed) {
  add("a");
  append("a", 40);
  options.bytes_per_second_max = 100;
  options.limits.slice_bytes = 1'000;
  start();
  advance(std::chrono::seconds(30));
  EXPECT_EQ(first_dirty("a"), 0);
  for (int minute = 0; minute < 5; ++minute) advance(std::chrono::minutes(1));
  EXPECT_GT(first_dirty("a"), 30);
}

TEST_F(LogCleanerTest, StopGivesARunUp) {
  add("a");
  append("a", 40);
  options.bytes_per_second_max = 1;
  options.limits.slice_bytes = 1'000;
  start();
  stop();
  EXPECT_EQ(first_dirty("a"), 0);
}

TEST_F(LogCleanerTest, ATopicDeletedMeanwhileStopsNoOther) {
  add("gone");
  add("stays", 1);
  append("gone", 40);
  prepare("stays", 10, 30);
  options.bytes_per_second_max = 100;
  options.limits.slice_bytes = 1'000;
  start();
  shards.first().run([&] {
    sides[0].partitions->on_topic_change(
        {std::make_shared<const metadata::Topic>(logs.at("gone").topic), nullptr});
  });
  options.bytes_per_second_max = 0;
  advance(std::chrono::seconds(1));
  EXPECT_EQ(sides[0].partitions->size(), 0u);
  EXPECT_GT(first_dirty("stays"), 30);
}

}  // namespace
}  // namespace chronik::broker
