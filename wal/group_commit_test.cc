#include "wal/group_commit.h"

#include <gtest/gtest.h>

#include <map>

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

}  // namespace
}  // namespace chronik::wal
