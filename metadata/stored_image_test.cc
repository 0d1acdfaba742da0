// What `chronik metadata dump` says of the files of a node that does not run.
#include "metadata/stored_image.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "base/memory_disk.h"
#include "base/random.h"
#include "metadata/event_source.h"
#include "metadata/image_events.h"
#include "metadata/meta_log_store.h"
#include "metadata/raft_meta_log.h"
#include "raft/multi/test_cluster.h"

namespace chronik::metadata {
namespace {

using raft::NodeId;
using ::testing::HasSubstr;

constexpr const char* directory = "data/__meta-0";

MetaLogOptions log_options() {
  MetaLogOptions options;
  options.directory = directory;
  options.now = [] { return Timestamp{1'700'000'000'000}; };
  return options;
}

// A node alone that has lived: the hash of its image after each entry.
struct Life {
  MemoryDisk disk;
  std::map<EntryIndex, std::uint64_t> hashes{{0, image_hash(std::make_shared<const Image>())}};
  Offset oldest_offset = 0;  // its older snapshot ends there
};

void live(Life& life, int proposals, std::uint64_t snapshot_log_bytes) {
  ASSERT_TRUE(life.disk.make_directories("data"));
  wal::ManualIoExecutor executor;
  wal::LogEnvironment environment(life.disk);
  wal::GroupCommit group(environment, executor);
  MetaLogOptions options = log_options();
  options.snapshot_log_bytes_min = snapshot_log_bytes;
  options.segment_bytes = 4096;
  auto store = MetaLogStore::open(environment, group, executor, options);
  ASSERT_TRUE(store);
  EventSource source([random = Random(5)]() mutable { return random.next(); });
  for (int i = 0; i < proposals; ++i) {
    (*store)->propose(source.batch(5), [](const Result<ApplyResults>&) {});
    executor.run_all();
    const auto image = (*store)->image();
    life.hashes[image->applied_index()] = image_hash(image);
  }
  ASSERT_EQ(life.hashes.size(), static_cast<std::size_t>(proposals) + 1);
  if (!(*store)->snapshots().empty()) life.oldest_offset = (*store)->snapshots().back().offset;
}

TEST(StoredImage, IsTheImageAfterEachEntryThatTheDirectoryStillTells) {
  Life life;
  live(life, 300, 16'384);
  ASSERT_GT(life.oldest_offset, 0) << "no snapshot was written: the test is too short";
  const std::uint64_t changes = life.disk.operations();
  int told = 0;
  for (const auto& [index, hash] : life.hashes) {
    if (index == 0) continue;
    const Result<StoredImage> stored = read_stored_image(life.disk, directory, index);
    if (!stored) {
      EXPECT_EQ(told, 0) << "after entry " << index << ": " << stored.error().message;
      EXPECT_EQ(stored.error().code, Errc::out_of_range);
      continue;
    }
    ++told;
    EXPECT_EQ(stored->index, index);
    EXPECT_EQ(image_hash(stored->image), hash) << "after entry " << index;
  }
  EXPECT_GT(told, 10);
  EXPECT_LT(told, 300);
  const StoredImage last = *read_stored_image(life.disk, directory, std::nullopt);
  EXPECT_EQ(last.index, 300);
  EXPECT_EQ(last.committed, 300);
  EXPECT_EQ(last.last_index, 300);
  EXPECT_EQ(image_hash(last.image), life.hashes.at(300));
  EXPECT_EQ(life.disk.operations(), changes) << "a look changed something";
}

TEST(StoredImage, BehindTheEndOfTheLogThereIsNone) {
  Life life;
  live(life, 3, 1 << 20);
  EXPECT_TRUE(read_stored_image(life.disk, directory, 0));
  const Result<StoredImage> stored = read_stored_image(life.disk, directory, 4);
  ASSERT_FALSE(stored);
  EXPECT_EQ(stored.error().code, Errc::out_of_range);
  EXPECT_THAT(stored.error().message, HasSubstr("the log ends with entry 3"));
  EXPECT_EQ(read_stored_image(life.disk, "nowhere", std::nullopt).error().code, Errc::not_found);
}

TEST(StoredImage, OfADamagedLogIsRefusedFromTheDamageOn) {
  Life life;
  live(life, 3, 1 << 20);
  std::string log;
  for (const std::string& file : life.disk.files(directory)) {
    if (file.ends_with(".log")) log = file;
  }
  life.disk.flip_bit(log, life.disk.content(log).size() / 2, 3);
  const Result<StoredImage> stored = read_stored_image(life.disk, directory, 3);
  ASSERT_FALSE(stored);
  EXPECT_EQ(stored.error().code, Errc::corrupt);
  EXPECT_THAT(stored.error().message, HasSubstr(log));
}

class ThreeNodes final : public raft::testing::NodeSetup {
 public:
  std::map<NodeId, std::unique_ptr<RaftMetaLog>> stores;

  Result<void> start(raft::testing::TestNode& node) override {
    TRY_ASSIGN(
        stores[node.id()],
        RaftMetaLog::open(*node.environment, *node.group_commit, node.executor, *node.manager,
                          {log_options(), {{1, 2, 3}, {}, {}, {}, false}, 3'000}));
    return {};
  }
  void stop(raft::testing::TestNode& node) override { stores.erase(node.id()); }
};

// The nodes die at different ends of their logs; at the smallest they are compared.
TEST(StoredImage, OfNodesThatWereKilledIsEqualAtTheSmallestEnd) {
  ThreeNodes setup;
  raft::testing::TestCluster cluster(3, 3, setup);
  cluster.start_all();
  EventSource source([random = Random(6)]() mutable { return random.next(); });
  for (int i = 0; i < 60; ++i) {
    if (i == 50) cluster.crash(3);
    bool answered = false;
    setup.stores.at(1)->propose(source.batch(5), ProposeOptions{},
                                [&](const Result<ApplyResults>&) { answered = true; });
    ASSERT_TRUE(cluster.run_until([&] { return answered; }));
  }
  const std::uint64_t whole = image_hash(setup.stores.at(1)->image());
  const EntryIndex applied = setup.stores.at(1)->image()->applied_index();
  cluster.crash(1);
  cluster.crash(2);

  const auto read = [&](NodeId node, std::optional<EntryIndex> at) {
    Result<StoredImage> stored = read_stored_image(cluster.node(node).disk, directory, at);
    EXPECT_TRUE(stored) << (stored ? "" : stored.error().message);
    return stored ? std::move(*stored) : StoredImage{};
  };
  EXPECT_EQ(image_hash(read(1, applied).image), whole);
  EXPECT_EQ(image_hash(read(2, applied).image), whole);
  const EntryIndex smallest = read(3, std::nullopt).last_index;
  EXPECT_LT(smallest, applied);
  const StoredImage third = read(3, smallest);
  for (const NodeId node : {1, 2}) {
    const StoredImage stored = read(node, smallest);
    EXPECT_EQ(stored.term, third.term);
    EXPECT_EQ(image_hash(stored.image), image_hash(third.image));
    EXPECT_LE(stored.committed, stored.last_index);
  }
  EXPECT_NE(image_hash(third.image), whole);
}

}  // namespace
}  // namespace chronik::metadata
