// What a start takes for leftovers in a data directory.
#include "wal/log_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/check.h"
#include "base/memory_disk.h"
#include "wal/format.h"
#include "wal/journal.h"
#include "wal/test_log.h"

namespace chronik::wal {
namespace {

using ::testing::IsEmpty;
using testing::test_topic_id;

class DataDirectory : public ::testing::Test {
 protected:
  void make(const std::string& directory, std::optional<Uuid> topic_id) {
    ASSERT_TRUE(disk.make_directories(directory));
    if (topic_id) disk.set_content(directory + "/" + topic_file_name(*topic_id), {});
  }
  std::unique_ptr<LogDirectory> open() { return LogDirectory::open(disk, "/data", {}).value(); }

  MemoryDisk disk;
};

TEST_F(DataDirectory, AStartSetsAsideWhatWasOnlyBegunAndKeepsTheRest) {
  make("/data/whole-0", test_topic_id(1));
  make("/data/begun-1", std::nullopt);
  const auto directory = open();
  const FoundPartitions found = directory->begin_partitions().value();
  ASSERT_EQ(found.partitions.size(), 1u);
  EXPECT_EQ(found.partitions[0].directory, "/data/whole-0");
  ASSERT_EQ(found.deleted.size(), 1u);
  EXPECT_FALSE(disk.exists("/data/begun-1").value());
  EXPECT_TRUE(disk.exists(found.deleted[0]).value());
  // Its name is free, durably.
  Random random(1);
  disk.crash(random, CrashModel::ordered);
  EXPECT_FALSE(disk.exists("/data/begun-1").value());
}

// It is between its directory and its name; a start took it for a leftover, and the node ended.
TEST_F(DataDirectory, APartitionThatIsBeingMadeMeanwhileIsNotTheOneThatWasFound) {
  make("/data/t-0", test_topic_id(1));
  const auto directory = open();
  const FoundPartitions found = directory->begin_partitions().value();
  ASSERT_EQ(found.partitions.size(), 1u);
  EXPECT_THAT(found.deleted, IsEmpty());
  const FoundPartition& old = found.partitions[0];
  EXPECT_TRUE(directory->has(old).value());

  ASSERT_TRUE(directory->set_aside(old));
  EXPECT_FALSE(directory->has(old).value());
  make("/data/t-0", std::nullopt);
  EXPECT_FALSE(directory->has(old).value());
  make("/data/t-0", test_topic_id(2));
  EXPECT_FALSE(directory->has(old).value());
}

TEST_F(DataDirectory, ItsJournalsSyncAllLogsByOneCallWhereOneFileSystemHasThem) {
  make("/data/here-0", test_topic_id(1));
  make("/data/elsewhere-0", test_topic_id(2));
  const auto syncs_all_by_one_call = [&] {
    const auto directory = open();
    CHECK(directory->begin_journals(1, 128 << 20, 256 << 10));
    const Journal& journal = *directory->journal(0);
    EXPECT_EQ(journal.file_system_sync() == nullptr, journal.round_sync() == nullptr);
    return journal.file_system_sync() != nullptr;
  };
  EXPECT_TRUE(syncs_all_by_one_call());
  disk.mount("/data/elsewhere-0");
  EXPECT_FALSE(syncs_all_by_one_call());
}

}  // namespace
}  // namespace chronik::wal
