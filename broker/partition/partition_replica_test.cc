// One replica of a partition on a fake disk: what its leader could give to others after the power
// went.
#include <gtest/gtest.h>

#include <memory>

#include "base/memory_disk.h"
#include "broker/partition/partition.h"
#include "protocol/record_builder.h"
#include "wal/io_executor.h"

namespace chronik::broker {
namespace {

constexpr raft::NodeId this_node = 1;
constexpr Timestamp now = 1'700'000'000'000;

struct NoOtherNodes final : raft::Transport {
  void send(raft::NodeId, ByteChain) override {}
};

/// A partition whose only replica this is, so that it leads as soon as it is open.
struct ReplicaTest : testing::Test {
  MemoryDisk disk;
  Random random{1};
  wal::ManualIoExecutor io;
  NoOtherNodes transport;
  protocol::RecordScratch scratch;
  std::shared_ptr<PartitionSettings> settings = std::make_shared<PartitionSettings>();
  std::unique_ptr<wal::LogEnvironment> environment;
  std::unique_ptr<wal::GroupCommit> group_commit;
  std::unique_ptr<raft::RaftReplicaManager> groups;
  std::unique_ptr<Partition> partition;

  ReplicaTest() {
    wal::LogSettings log;
    log.segment_bytes = 400;
    log.retention_bytes = 800;
    settings->log = std::make_shared<wal::LogSettings>(log);
    CHECK(disk.make_directories("data"));
  }
  ~ReplicaTest() override { stop(); }

  void start() {
    environment = std::make_unique<wal::LogEnvironment>(disk);
    environment->on_fatal = [](const Error&) {};
    group_commit = std::make_unique<wal::GroupCommit>(*environment, io);
    raft::RaftOptions options;
    options.node = this_node;
    options.random = [this] { return random.next(); };
    groups = std::make_unique<raft::RaftReplicaManager>(std::move(options), *environment,
                                                        *group_commit, io, transport);
    ReplicaSeat seat;
    seat.groups = groups.get();
    seat.founders.voters = {this_node};
    auto opened = Partition::open_replica({*environment, *group_commit, scratch}, "data/t-0",
                                          {"t", 0, Uuid::from_random(1, 2)}, settings, seat);
    CHECK_MSG(opened, opened.error().message);
    partition = std::move(*opened);
  }
  void stop() {
    io.abandon();
    groups.reset();
    group_commit.reset();
    partition.reset();
    environment.reset();
  }
  void cut_power() {
    stop();
    disk.crash(random, CrashModel::ordered);
  }
  void write(int batches) {
    for (int i = 0; i < batches; ++i) {
      protocol::BatchBuilder builder({});
      builder.append(now, std::nullopt, as_bytes(std::string(100, 'x')));
      ASSERT_EQ(partition->append(builder.build(), {.now = now}).error, protocol::ErrorCode::none);
      io.run_all();
    }
  }
  protocol::ErrorCode write_sequence(Sequence sequence, SteadyTime at, ProducerEpoch epoch = 0) {
    protocol::BatchBuilder builder(
        {.producer_id = 7, .producer_epoch = epoch, .base_sequence = sequence});
    builder.append(now, std::nullopt, as_bytes("x"));
    const protocol::ErrorCode error =
        partition->append(builder.build(), {.now = now, .at = at}).error;
    io.run_all();
    return error;
  }
  raft::LogStore& store() {
    return groups->find({partition->identity().topic_id, partition->identity().partition})->store();
  }
};

// The group's state is on disk before the log that begins later. What was written in between said
// who belongs to the group there, and nobody knew any more who did where the log began: a leader
// ended its process when a replica came that had nothing.
TEST_F(ReplicaTest, AnInterruptedRetentionLeavesALogThatAnEmptyReplicaCanBeGiven) {
  start();
  io.run_all();
  write(12);
  ASSERT_TRUE(partition->apply_retention(now));
  io.run_all();
  ASSERT_GT(store().first_index(), 1);
  int interrupted = 0;
  for (std::uint64_t operations = 0; operations < 12; ++operations) {
    write(8);
    const raft::Index before = store().first_index();
    disk.power_off_after(operations);
    ASSERT_TRUE(partition->apply_retention(now));
    const raft::Index dropped_to = store().first_index();
    ASSERT_GT(dropped_to, before);
    io.run_all();
    if (disk.struck()) ++interrupted;
    cut_power();
    start();
    const raft::Index first = store().first_index();
    EXPECT_TRUE(first == before || first == dropped_to) << first;
    EXPECT_EQ(store().snapshot().index, first - 1) << operations << " operations";
    io.run_all();
  }
  EXPECT_GT(interrupted, 3);
}

// A producer that was refused by the former leader asks this one, while what it had sent there in
// between is not refused yet. Told of a gap, librdkafka began a new epoch and wrote again what it
// had not heard of, also what was there.
TEST_F(ReplicaTest, AGapIsNoGapWhileTheFormerLeaderMayHaveWhatIsMissing) {
  using protocol::ErrorCode;
  start();
  io.run_all();
  SteadyTime at{};
  ASSERT_EQ(write_sequence(0, at), ErrorCode::none);
  stop();
  start();
  io.run_all();
  EXPECT_EQ(write_sequence(2, at), ErrorCode::not_enough_replicas);
  EXPECT_EQ(write_sequence(1, at), ErrorCode::none);
  EXPECT_EQ(write_sequence(2, at), ErrorCode::none);
  at += std::chrono::seconds(5);
  EXPECT_EQ(write_sequence(4, at), ErrorCode::not_enough_replicas);
  EXPECT_EQ(write_sequence(5, at), ErrorCode::not_enough_replicas);
  EXPECT_EQ(write_sequence(3, at), ErrorCode::none);
  EXPECT_EQ(write_sequence(5, at), ErrorCode::not_enough_replicas) << "4 was refused";
  EXPECT_EQ(write_sequence(4, at), ErrorCode::none);
  EXPECT_EQ(write_sequence(5, at), ErrorCode::none);
  EXPECT_EQ(write_sequence(7, at), ErrorCode::not_enough_replicas);
  EXPECT_EQ(write_sequence(8, at), ErrorCode::not_enough_replicas);
  // By now the producer has given up what it had asked of another leader.
  at += std::chrono::seconds(61);
  EXPECT_EQ(write_sequence(6, at), ErrorCode::none);
  EXPECT_EQ(write_sequence(7, at), ErrorCode::none);
  EXPECT_EQ(write_sequence(9, at), ErrorCode::not_enough_replicas)
      << "its producer may not know yet that 8 was refused";
  EXPECT_EQ(write_sequence(8, at), ErrorCode::none);
  EXPECT_EQ(write_sequence(9, at), ErrorCode::none);
  EXPECT_EQ(write_sequence(11, at), ErrorCode::out_of_order_sequence_number);
}

// A producer that had begun a new epoch was told of a gap in it, where its first batch had been
// refused and one of the epoch before came late (sim --seed 83007122).
TEST_F(ReplicaTest, WhatComesLateOfAnEarlierEpochHidesNoRefusal) {
  using protocol::ErrorCode;
  start();
  io.run_all();
  const SteadyTime at{};
  ASSERT_EQ(write_sequence(0, at, 0), ErrorCode::none);
  settings->min_insync_replicas = 2;
  EXPECT_EQ(write_sequence(1, at, 0), ErrorCode::not_enough_replicas);
  EXPECT_EQ(write_sequence(0, at, 1), ErrorCode::not_enough_replicas);
  EXPECT_EQ(write_sequence(1, at, 0), ErrorCode::not_enough_replicas);
  EXPECT_EQ(write_sequence(1, at, 1), ErrorCode::not_enough_replicas);
  settings->min_insync_replicas = 1;
  EXPECT_EQ(write_sequence(2, at, 1), ErrorCode::not_enough_replicas) << "0 was refused";
  EXPECT_EQ(write_sequence(1, at, 0), ErrorCode::none);
  EXPECT_EQ(write_sequence(2, at, 1), ErrorCode::not_enough_replicas) << "0 was refused";
  for (const Sequence sequence : {0, 1, 2}) {
    EXPECT_EQ(write_sequence(sequence, at, 1), ErrorCode::none);
  }
  EXPECT_EQ(write_sequence(4, at, 1), ErrorCode::out_of_order_sequence_number);
}

}  // namespace
}  // namespace chronik::broker
