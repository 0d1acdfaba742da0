#include "metadata/snapshot_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <xxhash.h>

#include "base/coding.h"
#include "base/memory_disk.h"
#include "base/random.h"
#include "metadata/apply.h"
#include "metadata/event_source.h"
#include "metadata/image_events.h"
#include "metadata/snapshot_format.h"

namespace chronik::metadata {
namespace {

using ::testing::HasSubstr;

constexpr const char* directory = "data/__meta-0";

std::shared_ptr<const Image> random_image(std::uint64_t seed, int events) {
  EventSource source([random = Random(seed)]() mutable { return random.next(); });
  ImageBuilder builder(std::make_shared<const Image>());
  for (int i = 0; i < events; ++i) builder.apply(source.next());
  builder.set_applied(events, events * 2);
  return builder.finish().image;
}

// Many topics and offsets, so that a snapshot takes many slices.
std::shared_ptr<const Image> large_image() {
  ImageBuilder builder(std::make_shared<const Image>());
  for (std::uint64_t i = 1; i <= 3000; ++i) {
    builder.apply(topic_created(i, "topic-" + std::to_string(i), 20));
    for (PartitionId partition = 0; partition < 20; ++partition) {
      builder.apply(offset_committed("group-" + std::to_string(i % 7), i, partition,
                                     static_cast<Offset>(i * 1000)));
    }
  }
  builder.set_applied(1, 63'000);
  return builder.finish().image;
}

class SnapshotFile : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(disk_.make_directories(directory)); }

  Result<SnapshotInfo> write(std::shared_ptr<const Image> image) {
    SnapshotWriter writer(disk_, directory, std::move(image), 3);
    steps_ = 0;
    for (;;) {
      ++steps_;
      TRY_ASSIGN(const bool finished, writer.step());
      if (finished) return writer.info();
    }
  }

  MemoryDisk disk_;
  int steps_ = 0;
};

TEST_F(SnapshotFile, ComesBackAsItWas) {
  for (const auto& image : {random_image(1, 0), random_image(2, 3000), large_image()}) {
    const Result<SnapshotInfo> written = write(image);
    ASSERT_TRUE(written) << written.error().message;
    const Result<LoadedSnapshot> loaded = load_snapshot(disk_, written->path);
    ASSERT_TRUE(loaded) << loaded.error().message;
    EXPECT_EQ(image_hash(loaded->image), image_hash(image));
    EXPECT_EQ(loaded->image->applied_index(), image->applied_index());
    EXPECT_EQ(loaded->image->applied_offset(), image->applied_offset());
    EXPECT_EQ(loaded->info.epoch, 3);
    EXPECT_EQ(loaded->info.plain_bytes, written->plain_bytes);
    EXPECT_EQ(loaded->info.file_bytes, written->file_bytes);
    EXPECT_EQ(disk_.content(written->path).size(), written->file_bytes);
  }
  EXPECT_GT(steps_, 10);
  const Result<FoundSnapshots> found = find_snapshots(disk_, directory);
  ASSERT_TRUE(found);
  ASSERT_EQ(found->snapshots.size(), 3u);
  EXPECT_EQ(found->snapshots[0].offset, 63'000);
  EXPECT_EQ(found->snapshots[2].offset, 0);
  EXPECT_TRUE(found->unfinished.empty());
}

TEST_F(SnapshotFile, IsThereWholeOrNotAtAllAfterAPowerLoss) {
  const auto image = random_image(3, 2000);
  const std::uint64_t start = disk_.operations();
  ASSERT_TRUE(write(image));
  const std::uint64_t operations = disk_.operations() - start;
  for (std::uint64_t at = 0; at <= operations; ++at) {
    for (const CrashModel model : {CrashModel::ordered, CrashModel::reordered}) {
      MemoryDisk disk;
      ASSERT_TRUE(disk.make_directories(directory));
      disk.power_off_after(at);
      SnapshotWriter writer(disk, directory, image, 3);
      bool finished = false;
      for (;;) {
        const Result<bool> step = writer.step();
        if (!step) break;
        finished = *step;
        if (finished) break;
      }
      Random random(at);
      disk.crash(random, model);
      const Result<FoundSnapshots> found = find_snapshots(disk, directory);
      ASSERT_TRUE(found);
      if (finished) {
        ASSERT_EQ(found->snapshots.size(), 1u);
      }
      for (const SnapshotName& name : found->snapshots) {
        const Result<LoadedSnapshot> loaded = load_snapshot(disk, name.path);
        ASSERT_TRUE(loaded) << loaded.error().message;
        EXPECT_EQ(image_hash(loaded->image), image_hash(image));
      }
    }
  }
}

TEST_F(SnapshotFile, EveryFlippedBitAndEveryCutIsFound) {
  const Result<SnapshotInfo> written = write(random_image(4, 60));
  ASSERT_TRUE(written);
  const Bytes whole = disk_.content(written->path);
  for (std::size_t position = 0; position < whole.size(); ++position) {
    disk_.flip_bit(written->path, position, static_cast<unsigned>(position % 8));
    const Result<LoadedSnapshot> loaded = load_snapshot(disk_, written->path);
    ASSERT_FALSE(loaded) << position;
    EXPECT_EQ(loaded.error().code, Errc::corrupt) << loaded.error().message;
    EXPECT_THAT(loaded.error().message, HasSubstr(written->path));
    disk_.set_content(written->path, whole);
  }
  for (std::size_t size = 0; size < whole.size(); ++size) {
    disk_.set_content(written->path, Bytes(whole.begin(), whole.begin() + static_cast<long>(size)));
    const Result<LoadedSnapshot> loaded = load_snapshot(disk_, written->path);
    ASSERT_FALSE(loaded) << size;
    EXPECT_EQ(loaded.error().code, Errc::corrupt) << loaded.error().message;
  }
}

TEST_F(SnapshotFile, OfANewerFormatIsRefused) {
  const Result<SnapshotInfo> written = write(random_image(4, 60));
  ASSERT_TRUE(written);
  Bytes bytes = disk_.content(written->path);
  store_be<std::uint16_t>(bytes.data() + 8, snapshot_format_version + 1);
  // Damage of the version is told from a newer version by the header's checksum.
  EXPECT_EQ(decode_snapshot_header(bytes, "f").error().code, Errc::corrupt);
  const std::size_t hashed = snapshot_header_size - 8;
  store_be<std::uint64_t>(bytes.data() + hashed, XXH3_64bits(bytes.data(), hashed));
  disk_.set_content(written->path, bytes);
  const Result<LoadedSnapshot> loaded = load_snapshot(disk_, written->path);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, Errc::unsupported);
  EXPECT_THAT(loaded.error().message, HasSubstr("newer chronik"));
  EXPECT_EQ(*decode_snapshot_header(encode_snapshot_header({1, 2, 3, 4, 5, 6, 7}), "f"),
            (SnapshotHeader{1, 2, 3, 4, 5, 6, 7}));
}

TEST_F(SnapshotFile, AFullDiskLeavesNothingBehind) {
  const auto image = large_image();
  disk_.set_capacity(disk_.used_bytes() + 2000);
  const Result<SnapshotInfo> written = write(image);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, Errc::no_space);
  EXPECT_TRUE(disk_.files(directory).empty());
}

}  // namespace
}  // namespace chronik::metadata
