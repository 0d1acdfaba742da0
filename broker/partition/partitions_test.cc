#include "broker/partition/partitions.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "base/memory_disk.h"
#include "protocol/record_builder.h"
#include "wal/io_executor.h"

namespace chronik::broker {
namespace {

using protocol::ErrorCode;

constexpr std::int16_t produce_version = 13;

SharedBytes records_of(int count, protocol::BatchOptions options = {}) {
  protocol::BatchBuilder builder(options);
  for (int i = 0; i < count; ++i) {
    builder.append(1'700'000'000'000 + i, std::nullopt, as_bytes("value " + std::to_string(i)));
  }
  return builder.build();
}

protocol::BatchOptions producer(ProducerId id, Sequence first) {
  protocol::BatchOptions options;
  options.producer_id = id;
  options.producer_epoch = 0;
  options.base_sequence = first;
  return options;
}

/// One shard's partitions on the fake disk; flushes happen when the test says so.
struct PartitionsTest : testing::Test {
  ManualClock clock;
  MemoryDisk disk;
  metadata::Topic topic;
  std::unique_ptr<wal::LogDirectory> directory;
  wal::ManualIoExecutor io;
  std::unique_ptr<Shard> shard;
  std::unique_ptr<ShardStorage> storage;
  std::unique_ptr<Partitions> partitions;

  PartitionsTest() {
    topic.name = "orders";
    topic.id = Uuid::from_random(1, 2);
    topic.partitions.resize(3);
    start();
  }
  ~PartitionsTest() override { power_off(); }

  void start() {
    directory = wal::LogDirectory::open(disk, "/data", {}).value();
    shard = std::make_unique<Shard>(0, clock, Shard::Mode::manual);
    shard->run([&] {
      storage = std::make_unique<ShardStorage>(*shard, disk, io);
      partitions = std::make_unique<Partitions>(
          *shard, *storage, *directory,
          [](const metadata::Topic&) {
            auto settings = std::make_shared<PartitionSettings>();
            settings->log = std::make_shared<wal::LogSettings>();
            return settings;
          },
          milliseconds(300'000));
      const wal::FoundPartitions present = directory->find_partitions().value();
      for (const wal::FoundPartition& found : present.partitions) {
        ASSERT_TRUE(partitions->open_existing(topic, found.identity.partition));
      }
    });
  }
  void power_off() {
    io.abandon();
    shard->run([&] {
      partitions.reset();
      storage.reset();
    });
    shard.reset();
    directory.reset();
  }
  void restart_after_power_loss() {
    power_off();
    Random random(11);
    disk.crash(random, CrashModel::ordered);
    start();
  }

  Partition& partition(PartitionId index = 0) { return *partitions->get(topic, index); }
  AppendResult append(SharedBytes records, PartitionId index = 0) {
    AppendResult result;
    shard->run([&] {
      result = partition(index).append(std::move(records), {produce_version, -1, clock.now_ms()});
    });
    return result;
  }
  Task<void> wait_for(Offset end, std::optional<WaitEnd>& how,
                      SteadyTime limit = SteadyTime::max()) {
    Future<WaitEnd> future = partition().reached(end, limit);
    if (limit != SteadyTime::max()) partitions->limit_waits(limit);
    how = co_await future;
  }
  void flush() {
    while (!io.idle()) shard->run([&] { io.run_all(); });
  }
  ReadResult read(Offset from, std::uint64_t bytes_max = 1 << 20) {
    ReadRequest request;
    request.from = from;
    request.bytes_max = bytes_max;
    request.at_least_one = true;
    ReadResult result;
    shard->run([&] { result = partition().read(request); });
    return result;
  }
};

TEST_F(PartitionsTest, NothingIsReadableBeforeItIsDurable) {
  const AppendResult appended = append(records_of(3));
  EXPECT_EQ(appended.error, ErrorCode::none);
  EXPECT_EQ(appended.base_offset, 0);
  EXPECT_EQ(appended.acknowledged_at, 3);
  EXPECT_EQ(partition().high_watermark(), 0);
  EXPECT_TRUE(read(0).records.empty());
  flush();
  EXPECT_EQ(partition().high_watermark(), 3);
  EXPECT_EQ(read(0).records.size(), records_of(3).size());
}

// A start after kill -9 scans the tail; those after it need not, also when nothing is produced.
TEST_F(PartitionsTest, ACleanStopSavesWhatTheStartHasScanned) {
  append(records_of(3));
  flush();
  restart_after_power_loss();
  EXPECT_GT(partition().log().recovery().scanned_bytes, 0u);
  std::optional<bool> stopped;
  Gate gate;
  const auto stop = [&]() -> Task<void> {
    partitions->stop();
    Future<void> done = storage->stop();
    co_await done;
    stopped = true;
  };
  shard->run([&] { spawn(stop(), gate); });
  flush();
  ASSERT_TRUE(stopped);
  power_off();
  start();
  EXPECT_EQ(partition().log().recovery().scanned_bytes, 0u);
  EXPECT_EQ(partition().high_watermark(), 3);
}

// What compaction cannot filter must not get in.
TEST_F(PartitionsTest, TransactionsAndControlBatchesAreRefused) {
  protocol::BatchOptions options = producer(7, 0);
  options.transactional = true;
  EXPECT_EQ(append(records_of(1, options)).error, ErrorCode::invalid_txn_state);
  options.control = true;
  EXPECT_EQ(append(records_of(1, options)).error, ErrorCode::invalid_record);
  options.transactional = false;
  EXPECT_EQ(append(records_of(1, options)).error, ErrorCode::invalid_record);
  EXPECT_EQ(partition().log().end_offset(), 0);
}

TEST_F(PartitionsTest, WaitersAreReleasedByTheFlushThatCoversThem) {
  append(records_of(2));
  std::optional<WaitEnd> acknowledged;
  Gate gate;
  shard->run([&] { spawn(wait_for(2, acknowledged), gate); });
  EXPECT_FALSE(acknowledged);
  flush();
  EXPECT_EQ(acknowledged, WaitEnd::reached);
}

TEST_F(PartitionsTest, WaitsEndAtTheirLimitsWhileTheDiskIsStuck) {
  append(records_of(2));
  const SteadyTime start = clock.steady_now();
  std::optional<WaitEnd> late;
  std::optional<WaitEnd> soon;
  std::optional<WaitEnd> patient;
  Gate gate;
  shard->run([&] {
    spawn(wait_for(2, late, start + milliseconds(30'000)), gate);
    spawn(wait_for(2, soon, start + milliseconds(100)), gate);
    spawn(wait_for(2, patient), gate);
  });
  clock.advance(milliseconds(99));
  shard->step();
  EXPECT_FALSE(soon);
  clock.advance(milliseconds(1));
  shard->step();
  EXPECT_EQ(soon, WaitEnd::timed_out);
  EXPECT_FALSE(late);
  clock.advance(milliseconds(29'900));
  shard->step();
  EXPECT_EQ(late, WaitEnd::timed_out);
  EXPECT_FALSE(patient);
  flush();
  EXPECT_EQ(patient, WaitEnd::reached);
}

TEST_F(PartitionsTest, ARepeatedBatchIsAnsweredWithItsFirstOffset) {
  append(records_of(2));
  const AppendResult first = append(records_of(3, producer(7, 0)));
  const AppendResult again = append(records_of(3, producer(7, 0)));
  EXPECT_EQ(again.error, ErrorCode::none);
  EXPECT_EQ(again.base_offset, first.base_offset);
  EXPECT_EQ(again.acknowledged_at, first.acknowledged_at) << "not before the original is durable";
  EXPECT_EQ(partition().log().end_offset(), 5);
  const AppendResult gap = append(records_of(1, producer(7, 9)));
  EXPECT_EQ(gap.error, ErrorCode::out_of_order_sequence_number);
}

TEST_F(PartitionsTest, ABadBatchLeavesNoTrace) {
  SharedBytes records = records_of(3);
  records.mutable_view()[70] ^= 1;
  const AppendResult result = append(std::move(records));
  EXPECT_EQ(result.error, ErrorCode::corrupt_message);
  EXPECT_FALSE(result.message.empty());
  EXPECT_EQ(partition().log().end_offset(), 0);
  EXPECT_TRUE(io.idle());
}

TEST_F(PartitionsTest, RecordsAndProducersSurvivePowerLoss) {
  append(records_of(3, producer(7, 0)));
  flush();
  append(records_of(2, producer(7, 3)));  // never flushed, never acknowledged
  restart_after_power_loss();
  EXPECT_EQ(partition().high_watermark(), 3);
  EXPECT_EQ(append(records_of(3, producer(7, 0))).base_offset, 0) << "still recognised";
  EXPECT_EQ(append(records_of(2, producer(7, 3))).base_offset, 3);
}

TEST_F(PartitionsTest, ReadsOutsideOfTheLogAreRefused) {
  append(records_of(3));
  flush();
  EXPECT_EQ(read(4).error, ErrorCode::offset_out_of_range);
  EXPECT_EQ(read(3).error, ErrorCode::none);
  shard->run([&] { ASSERT_TRUE(partition().delete_before(2)); });
  EXPECT_EQ(read(1).error, ErrorCode::offset_out_of_range);
  shard->run([&] { EXPECT_EQ(partition().delete_before(9).error().code, Errc::out_of_range); });
}

TEST_F(PartitionsTest, DeletedTopicsReleaseTheirWaitersAndTheirFiles) {
  append(records_of(2));
  flush();
  append(records_of(2));
  std::optional<WaitEnd> acknowledged;
  Gate gate;
  shard->run([&] { spawn(wait_for(4, acknowledged), gate); });
  metadata::TopicChange change;
  change.before = std::make_shared<metadata::Topic>(topic);
  shard->run([&] { partitions->on_topic_change(change); });
  EXPECT_EQ(acknowledged, WaitEnd::deleted);
  flush();
  EXPECT_EQ(partitions->size(), 0u);
  EXPECT_TRUE(directory->find_partitions().value().partitions.empty());
}

TEST_F(PartitionsTest, StaleLeaderEpochsAreFenced) {
  EXPECT_EQ(partition().check_leader_epoch(-1), ErrorCode::none);
  EXPECT_EQ(partition().check_leader_epoch(0), ErrorCode::none);
  EXPECT_EQ(partition().check_leader_epoch(1), ErrorCode::unknown_leader_epoch);
}

// A month ahead and back within the hour: no segment is dropped and no producer forgotten by it.
// Once the clock has stayed there for an hour, it is believed.
TEST_F(PartitionsTest, AClockThatJumpsForAWhileMakesNothingOld) {
  using std::chrono::hours;
  const auto let_pass = [&](milliseconds time) {
    for (milliseconds passed{0}; passed < time; passed += milliseconds(300'000)) {
      clock.advance(milliseconds(300'000));
      shard->step();
    }
  };
  const AppendResult first = append(records_of(3, producer(7, 0)));
  flush();
  clock.jump_wall(hours(24 * 30));
  let_pass(hours(1) - milliseconds(600'000));
  flush();
  EXPECT_EQ(partition().log_start_offset(), 0);
  EXPECT_EQ(append(records_of(3, producer(7, 0))).base_offset, first.base_offset);
  clock.jump_wall(-hours(24 * 30));
  let_pass(hours(1));
  EXPECT_EQ(append(records_of(3, producer(7, 0))).base_offset, first.base_offset);

  clock.jump_wall(hours(24 * 30));
  let_pass(hours(2));
  flush();
  EXPECT_EQ(partition().log_start_offset(), 3);
}

TEST(ShardOf, PartitionsOfATopicGoRoundTheShards) {
  const Uuid id = Uuid::from_random(5, 6);
  std::vector<int> seen(4);
  for (PartitionId p = 0; p < 8; ++p) ++seen[shard_of(id, p, 4)];
  EXPECT_EQ(seen, (std::vector<int>{2, 2, 2, 2}));
}

}  // namespace
}  // namespace chronik::broker
