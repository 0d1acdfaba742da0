// What a start may take for durable without syncing it again.
#include "wal/synced_start.h"

#include <gtest/gtest.h>

#include "wal/log_directory.h"
#include "wal/test_log.h"

namespace chronik::wal {
namespace {

using testing::LogOnFakeDisk;
using testing::test_topic_id;

std::shared_ptr<LogSettings> page_cache() {
  std::shared_ptr<LogSettings> settings = testing::small_segments();
  settings->flush_mode = FlushMode::page_cache;
  return settings;
}

/// A log of which a process that died has left the tail in the page cache.
class SyncedStartTest : public ::testing::Test {
 protected:
  void SetUp() override {
    t_.open();
    leave_tail();
    start();
  }
  ~SyncedStartTest() override { t_.disk.set_hook({}); }

  void leave_tail() {
    t_.append();
    t_.flush();
    t_.append();
    t_.flush();
    end_ = t_.log->end_offset();
    t_.crash(1, CrashModel::kill);
  }
  void start() {
    directory_ = LogDirectory::open(t_.disk, "/data", {}).value();
    t_.environment->synced_start = &directory_->synced_start();
  }
  /// Opens the log as the broker does; how many syncs that takes in its directory and its parent.
  int open() {
    int syncs = 0;
    t_.disk.set_hook([&](DiskOperation operation, const std::string&) {
      syncs += operation == DiskOperation::sync_data || operation == DiskOperation::sync_directory;
    });
    t_.log.reset();
    Result<std::unique_ptr<PartitionLog>> opened =
        PartitionLog::open(*t_.environment, t_.directory, {"t", 0, test_topic_id()}, page_cache(),
                           &t_.derived, t_.environment->sync_of(t_.directory));
    t_.disk.set_hook({});
    CHECK_MSG(opened.has_value(), opened.error().message);
    t_.log = std::move(*opened);
    return syncs;
  }
  void expect_durable(Offset end) {
    directory_.reset();
    t_.crash(1, CrashModel::ordered);
    t_.open();
    EXPECT_EQ(t_.log->end_offset(), end);
  }

  LogOnFakeDisk t_{page_cache()};
  std::unique_ptr<LogDirectory> directory_;
  Offset end_ = 0;
};

TEST_F(SyncedStartTest, ALogIsNotSyncedAgain) {
  EXPECT_EQ(open(), 0);
  EXPECT_EQ(t_.log->end_offset(), end_);
  expect_durable(end_);
}

// In between, this process has written to it.
TEST_F(SyncedStartTest, ALogThatIsOpenedOnceMoreIs) {
  EXPECT_EQ(open(), 0);
  t_.append();
  t_.flush();
  EXPECT_GT(open(), 0);
  EXPECT_EQ(t_.log->end_offset(), end_ + 1);
  expect_durable(end_ + 1);
}

TEST_F(SyncedStartTest, WhereOthersHaveWrittenMuchEachLogIsSyncedByItself) {
  t_.disk.set_unsynced_bytes_of_others(SyncedStart::unsynced_bytes_max + 1);
  t_.open();
  leave_tail();
  start();
  EXPECT_GT(open(), 0);
  EXPECT_EQ(t_.log->end_offset(), end_);
  expect_durable(end_);
}

// A call for the data directory's file system does not reach it.
TEST_F(SyncedStartTest, ALogOnAnotherFileSystemIsSyncedByItself) {
  t_.open();
  leave_tail();
  t_.disk.mount(t_.directory);
  ASSERT_TRUE(t_.disk.make_directories("/data/t-1"));
  start();
  EXPECT_EQ(t_.environment->sync_of("/data/t-1"), DirectorySync::done);
  EXPECT_GT(open(), 0);
  EXPECT_EQ(t_.log->end_offset(), end_);
  expect_durable(end_);
}

// Its pages are lost, which the cache does not show; what the log shows is on the disk.
TEST_F(SyncedStartTest, NothingIsTakenForDurableWhereTheSyncHasFailed) {
  for (std::uint64_t seed = 1; seed < 20; ++seed) {
    LogOnFakeDisk t(page_cache());
    t.open();
    t.append();
    t.flush();
    t.crash(1, CrashModel::kill);
    t.disk.fail_operation(0, seed);
    const auto whole = t.disk.file_system_sync("/data").value();
    const auto synced = SyncedStart::begin(*whole, {t.directory});
    EXPECT_TRUE(t.disk.struck());
    EXPECT_FALSE(synced->take(t.directory));
    t.open();
    const Offset end = t.log->end_offset();
    t.crash(1, CrashModel::ordered);
    t.open();
    EXPECT_EQ(t.log->end_offset(), end);
  }
}

TEST_F(SyncedStartTest, WhatTakesTheNameOfADirectoryThatWasSetAsideIsUnknown) {
  ASSERT_TRUE(directory_->set_aside({{"t", 0, test_topic_id()}, t_.directory}));
  EXPECT_EQ(t_.environment->sync_of(t_.directory), DirectorySync::unknown);
}

TEST_F(SyncedStartTest, OfADirectoryThatWasNotThereNothingIsKnown) {
  EXPECT_EQ(t_.environment->sync_of("/data/t-1"), DirectorySync::unknown);
  EXPECT_EQ(LogEnvironment(t_.disk).sync_of(t_.directory), DirectorySync::unknown);
}

}  // namespace
}  // namespace chronik::wal
