#include "broker/net/output_queue.h"

#include <gtest/gtest.h>

#include "base/memory_disk.h"
#include "base/random.h"

namespace chronik::broker {
namespace {

TEST(OutputQueueTest, SmallPiecesLeaveAsOne) {
  OutputQueue queue;
  for (int i = 0; i < 1000; ++i) queue.add_copy(as_bytes("a small response"));
  iovec parts[8];
  EXPECT_EQ(queue.gather(parts), 1u);
  EXPECT_EQ(queue.size(), 16'000u);
  EXPECT_EQ(queue.memory_size(), 16'000u);
}

TEST(OutputQueueTest, BytesLeaveInOrderHoweverTheyAreTaken) {
  MemoryDisk disk;
  auto file = disk.open("/file", OpenMode::create).value();
  Bytes content(10'000);
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<std::uint8_t>(i);
  file->write_at(0, content).value();
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Random random(seed);
    OutputQueue queue;
    Bytes expected;
    Bytes got;
    for (int step = 0; step < 300; ++step) {
      const auto size = static_cast<std::size_t>(random.below(6000));
      Bytes piece(content.begin(), content.begin() + static_cast<std::ptrdiff_t>(size));
      expected.insert(expected.end(), piece.begin(), piece.end());
      switch (random.below(4)) {
        case 0:
          queue.add_copy(piece);
          break;
        case 1:
          queue.add(std::move(piece));
          break;
        case 2: {
          ByteChain chain;
          chain.append(SharedBytes::adopt(std::move(piece)));
          queue.add(chain);
          break;
        }
        case 3: {
          ByteChain chain;
          chain.append(FileRange{file, 0, size});
          queue.add(chain);
          break;
        }
      }
      while (!queue.empty() && !random.one_in(3)) {
        Bytes taken;
        if (const FileRange* range = queue.file_at_front()) {
          taken.resize(1 + random.below(range->size));
          ASSERT_EQ(file->read_at(range->position, taken).value(), taken.size());
        } else {
          iovec parts[3];
          const std::size_t count = queue.gather(parts);
          ASSERT_GT(count, 0u);
          for (std::size_t i = 0; i < count; ++i) {
            const auto* from = static_cast<const std::uint8_t*>(parts[i].iov_base);
            taken.insert(taken.end(), from, from + parts[i].iov_len);
          }
          taken.resize(1 + random.below(taken.size()));
        }
        got.insert(got.end(), taken.begin(), taken.end());
        queue.consume(taken.size());
      }
      ASSERT_EQ(got.size() + queue.size(), expected.size());
    }
    expected.resize(got.size());
    ASSERT_EQ(got, expected) << "seed " << seed;
  }
}

}  // namespace
}  // namespace chronik::broker
