#include "wal/group_commit.h"

#include <gtest/gtest.h>

#include <map>

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

}  // namespace
}  // namespace chronik::wal
