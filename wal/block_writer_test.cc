#include "wal/block_writer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/memory_disk.h"

namespace chronik::wal {
namespace {

constexpr std::uint64_t block = File::block_bytes;
constexpr std::uint64_t chunk = BlockWriter::chunk_bytes_max;

class BlockWriterTest : public testing::Test {
 protected:
  BlockWriterTest() : file_(disk_.open("/f", OpenMode::create).value()) {
    disk_.set_hook([this](DiskOperation operation, const std::string&) {
      if (operation == DiskOperation::write) ++writes_;
    });
  }

  /// Parts of so many bytes each behind the first block of the file; what should be there.
  Bytes write(std::uint64_t bytes, const std::vector<std::size_t>& parts) {
    BlockWriter writer(*file_, block, bytes);
    Bytes expected;
    std::uint8_t letter = 'a';
    for (const std::size_t size : parts) {
      const Bytes part(size, letter++);
      EXPECT_TRUE(writer.add(part));
      expected.insert(expected.end(), part.begin(), part.end());
    }
    EXPECT_TRUE(writer.finish(56, as_bytes("late")));
    expected.resize(bytes);
    std::copy_n(as_bytes("late").begin(), 4, expected.begin() + 56);
    return expected;
  }
  Bytes content() {
    Bytes bytes(file_->size().value() - block);
    EXPECT_EQ(file_->read_at(block, bytes).value(), bytes.size());
    return bytes;
  }

  MemoryDisk disk_;
  std::shared_ptr<File> file_;
  int writes_ = 0;
};

TEST_F(BlockWriterTest, WhatFitsIntoAChunkIsOneWrite) {
  const Bytes expected = write(2 * block, {100, 0, 5'000, 7});
  EXPECT_EQ(content(), expected);
  EXPECT_EQ(writes_, 1);
}

TEST_F(BlockWriterTest, LargerOnesAreWrittenByChunksAndTheFirstBlockLast) {
  disk_.set_hook([this](DiskOperation operation, const std::string&) {
    if (operation != DiskOperation::write) return;
    ++writes_;
    // A crash here must not leave the beginning of what is not there yet.
    Bytes first(block);
    if (file_->size().value() >= 2 * block) {
      EXPECT_TRUE(file_->read_at(block, first));
      EXPECT_EQ(first, Bytes(block, 0)) << "write " << writes_;
    }
  });
  const Bytes expected = write(2 * chunk + 3 * block, {100, chunk, 17, chunk});
  EXPECT_TRUE(content() == expected);
  EXPECT_EQ(writes_, 4);
}

TEST_F(BlockWriterTest, EndsWhereAChunkEnds) {
  for (const std::uint64_t bytes : {block, chunk, chunk + block, 2 * chunk}) {
    const Bytes full = write(bytes, {bytes});
    EXPECT_TRUE(content() == full) << bytes;
    const Bytes with_zeros = write(bytes, {100});
    EXPECT_TRUE(content() == with_zeros) << bytes;
    ASSERT_TRUE(file_->truncate(0));
  }
}

TEST_F(BlockWriterTest, TellsThatTheDiskFailed) {
  disk_.fail_operation(1);
  BlockWriter writer(*file_, 0, 2 * chunk);
  const Result<void> added = writer.add(Bytes(chunk + 1, 'x'));
  EXPECT_TRUE(added);
  const Result<void> finished = writer.finish(0, as_bytes("late"));
  ASSERT_FALSE(finished);
  EXPECT_EQ(finished.error().code, Errc::io);
}

}  // namespace
}  // namespace chronik::wal
