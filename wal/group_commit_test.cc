#include "wal/group_commit.h"

#include <gtest/gtest.h>

#include <map>

#include "wal/format.h"
#include "wal/recovery.h"
#include "wal/test_log.h"

namespace chronik::wal {
namespace {

using testing::BatchSpec;
using testing::make_batch;

/// Some logs of one shard on a fake disk that counts.
class GroupCommitOnFakeDisk : public ::testing::Test {
 protected:
  GroupCommitOnFakeDisk() {
    EXPECT_TRUE(disk.make_directories("/data"));
    auto settings = std::make_shared<LogSettings>();
    for (std::int32_t partition = 0; partition < 12; ++partition) {
      logs.push_back(PartitionLog::open(environment, "/data/t-" + std::to_string(partition),
                                        {"t", partition, testing::test_topic_id()}, settings,
                                        nullptr)
                         .value());
    }
    disk.set_hook([this](DiskOperation operation, const std::string&) { ++operations[operation]; });
  }
  ~GroupCommitOnFakeDisk() override { disk.set_hook({}); }

  void append(int batches) {
    for (const auto& log : logs) {
      for (int i = 0; i < batches; ++i) {
        BatchSpec spec;
        spec.base_offset = log->end_offset();
        log->append(make_batch(spec));
        group.mark_dirty(*log);
      }
    }
  }

  MemoryDisk disk;
  LogEnvironment environment{disk};
  ManualIoExecutor executor;
  std::vector<std::unique_ptr<PartitionLog>> logs;
  GroupCommit group{environment, executor};
  std::map<DiskOperation, int> operations;
};

// What an acknowledgement costs the disk: appends that come while a flush is in flight share the
// next one, a write and a sync for each file.
TEST_F(GroupCommitOnFakeDisk, AppendsDuringAFlushShareTheNext) {
  append(1);
  executor.run_all();
  operations.clear();

  append(1);  // the first log alone is in flight, the others wait
  append(99);
  executor.run_all();
  EXPECT_EQ(operations[DiskOperation::sync_data], 13);
  EXPECT_EQ(operations[DiskOperation::write], 13);
  EXPECT_EQ(operations[DiskOperation::sync_directory], 0);
  for (const auto& log : logs) EXPECT_EQ(log->durable_end_offset(), 101);
}

// A topic's first records: the directory above the new ones is synced once for all of them.
TEST_F(GroupCommitOnFakeDisk, NewLogsShareTheSyncOfTheirParent) {
  append(1);
  executor.run_all();
  EXPECT_EQ(operations[DiskOperation::sync_data], 12);
  // The first log had a flush of its own, with the parent.
  EXPECT_EQ(operations[DiskOperation::sync_directory], 12 + 2);
}

// A topic is deleted while its records are on their way to the disk: the checkpoint that was to
// follow them would be written into a directory that is not there any more, and end the broker.
TEST_F(GroupCommitOnFakeDisk, ALogDestroyedDuringItsFlushIsNotCheckpointedAfterIt) {
  std::vector<std::string> fatal;
  environment.on_fatal = [&](const Error& error) { fatal.push_back(error.message); };
  GroupCommitOptions options;
  options.unsaved_log_bytes_max = 1;
  GroupCommit eager(environment, executor, options);
  bool destroyed = false;
  for (const bool destroy : {false, true}) {
    logs[0]->append(make_batch({.base_offset = logs[0]->end_offset()}));
    eager.mark_dirty(*logs[0]);
    if (destroy) eager.destroy(std::move(logs[0]), [&] { destroyed = true; });
    executor.run_all();
  }
  EXPECT_TRUE(fatal.empty()) << fatal.front();
  EXPECT_FALSE(eager.failed());
  EXPECT_FALSE(eager.busy());
  EXPECT_TRUE(destroyed);
  EXPECT_EQ(environment.counters.checkpoints, 1U) << "no checkpoint followed the first flush";
  EXPECT_FALSE(list_partition_files(disk, "/data/t-0").value().exists);
}

// A replica that leaves its partition, comes back and leaves again, before all of its first
// directory is removed: the second one could not be set aside under the same name, which ended the
// broker.
TEST_F(GroupCommitOnFakeDisk, ALogIsDestroyedBesideAnEarlierOneOfItsTopic) {
  std::vector<std::string> fatal;
  environment.on_fatal = [&](const Error& error) { fatal.push_back(error.message); };
  const std::string earlier = "/data/" + deleted_directory_name(testing::test_topic_id(), 0);
  CHECK(disk.make_directories(earlier));
  CHECK(disk.open(earlier + "/00000000000000000000.log", OpenMode::create));
  append(1);
  executor.run_all();
  bool destroyed = false;
  group.destroy(std::move(logs[0]), [&] { destroyed = true; });
  logs.erase(logs.begin());
  executor.run_all();
  EXPECT_TRUE(fatal.empty()) << fatal.front();
  EXPECT_TRUE(destroyed);
  EXPECT_FALSE(list_partition_files(disk, "/data/t-0").value().exists);
  EXPECT_TRUE(disk.exists(earlier).value());
}

class GroupCommitInNeed : public GroupCommitOnFakeDisk {
 protected:
  GroupCommitInNeed() {
    environment.on_fatal = [this](const Error& error) { fatal = error.message; };
  }

  /// What waits is tried again with each tick.
  void tick() { group.tick(now += milliseconds(10)); }
  void try_for_a_while() {
    for (int i = 0; i < 20; ++i) {
      executor.run_all();
      tick();
    }
  }
  void run_all() {
    try_for_a_while();
    executor.run_all();
  }
  void leave_descriptors(std::size_t count) { disk.set_open_files_max(disk.open_files() + count); }
  void expect_all_durable(Offset end) {
    for (const auto& log : logs) EXPECT_EQ(log->durable_end_offset(), end);
    EXPECT_EQ(fatal, "");
  }
  /// What was acknowledged is on the disk.
  void expect_there_after_a_power_cut(Offset end) {
    logs.clear();
    Random random(1);
    disk.crash(random, CrashModel::reordered);
    LogEnvironment restarted{disk};
    for (std::int32_t partition = 0; partition < 12; ++partition) {
      const auto log = PartitionLog::open(restarted, "/data/t-" + std::to_string(partition),
                                          {"t", partition, testing::test_topic_id()},
                                          std::make_shared<LogSettings>(), nullptr);
      ASSERT_TRUE(log) << log.error().message;
      EXPECT_EQ((*log)->end_offset(), end);
    }
  }

  std::string fatal;
  SteadyTime now{};
};

// Somebody else has filled the disk to its last byte: what was accepted is kept until it can be
// written, and acknowledged then.
TEST_F(GroupCommitInNeed, AFullDiskIsWaitedFor) {
  append(1);
  run_all();
  disk.set_capacity(disk.used_bytes() + 200);  // the first few still fit
  append(1);
  try_for_a_while();
  EXPECT_EQ(logs.front()->durable_end_offset(), 2);
  EXPECT_EQ(logs.back()->durable_end_offset(), 1);
  EXPECT_EQ(fatal, "");
  disk.set_capacity(1 << 20);
  run_all();
  expect_all_durable(2);
  expect_there_after_a_power_cut(2);
}

// More logs in a round than there are descriptors: each holds one until it is synced. One log alone
// needs two, its file and its directory.
TEST_F(GroupCommitInNeed, ARoundGoesOnInParts) {
  for (const std::size_t left : {std::size_t{2}, std::size_t{3}, std::size_t{5}}) {
    leave_descriptors(left);
    append(2);
    run_all();
    expect_all_durable(logs.front()->end_offset());
    environment.files.shrink();
  }
  disk.set_open_files_max(1000);
  expect_there_after_a_power_cut(6);
}

TEST_F(GroupCommitInNeed, WritesWaitUntilThereAreSome) {
  append(1);
  disk.set_open_files_max(0);
  try_for_a_while();
  for (const auto& log : logs) EXPECT_EQ(log->durable_end_offset(), 0);
  EXPECT_TRUE(group.busy());
  EXPECT_EQ(fatal, "");

  leave_descriptors(3);
  run_all();
  expect_all_durable(1);
  bool stopped = false;
  group.stop([&] { stopped = true; });  // checkpoints too
  run_all();
  EXPECT_TRUE(stopped);
  disk.set_open_files_max(1000);
  expect_there_after_a_power_cut(1);
}

TEST_F(GroupCommitInNeed, ADeletionWaitsAndIsDurableThen) {
  append(1);
  run_all();
  append(1);  // in flight when its log goes
  environment.files.shrink();
  disk.set_open_files_max(0);
  bool deleted = false;
  group.destroy(std::move(logs.back()), [&] { deleted = true; });
  logs.pop_back();
  try_for_a_while();
  EXPECT_FALSE(deleted);
  EXPECT_TRUE(disk.exists("/data/t-11").value());

  leave_descriptors(2);
  run_all();
  EXPECT_TRUE(deleted);
  EXPECT_EQ(disk.files("/data/t-11").size(), 0u);
  expect_all_durable(2);
  logs.clear();
  Random random(1);
  disk.crash(random, CrashModel::reordered);
  EXPECT_FALSE(disk.exists("/data/t-11").value());
}

}  // namespace
}  // namespace chronik::wal
