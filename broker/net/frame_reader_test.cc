#include "broker/net/frame_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "base/coding.h"
#include "base/random.h"

namespace chronik::broker {
namespace {

/// Feeds `stream` in chunks of random sizes and gives the frames.
std::vector<Bytes> read_in_chunks(ByteView stream, Random& random, std::size_t chunk_max) {
  BufferPool pool(32u << 20);
  ReceiveSlab slab(pool);
  FrameReader reader;
  std::vector<Bytes> frames;
  std::vector<SharedBytes> kept;  // so that slices of the slab stay in use
  while (true) {
    for (;;) {
      const FrameReader::State state = reader.peek();
      if (state == FrameReader::State::need_bytes) break;
      if (random.one_in(5)) reader.park();
      std::optional<SharedBytes> frame;
      if (state == FrameReader::State::announced) {
        frame = reader.accept(pool);
      } else {
        frame = reader.take();
      }
      if (frame) {
        frames.push_back(to_bytes(frame->view()));
        kept.push_back(std::move(*frame));
      }
    }
    if (stream.empty()) break;
    FrameReader::Space space = reader.space(slab);
    std::size_t size = 1 + random.below(chunk_max);
    size = std::min({size, space.size(), stream.size()});
    std::size_t left = size;
    for (std::size_t i = 0; i < space.count && left > 0; ++i) {
      const std::size_t part = std::min(left, space.parts[i].size());
      std::copy_n(stream.begin(), part, space.parts[i].begin());
      stream = stream.subspan(part);
      left -= part;
    }
    reader.received(size, slab);
  }
  EXPECT_FALSE(reader.in_frame());
  EXPECT_EQ(reader.unparsed(), 0u);
  return frames;
}

TEST(FrameReaderTest, FramesComeOutAsTheyWereSentHoweverTheyArrive) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    Random random(seed);
    std::vector<Bytes> sent;
    Bytes stream;
    for (int i = 0; i < 60; ++i) {
      const std::size_t bounds[] = {1, 20, 300, 20'000, 70'000, 300'000};
      Bytes frame(random.below(bounds[random.below(6)]));
      for (std::uint8_t& byte : frame) byte = static_cast<std::uint8_t>(random.next());
      Writer prefix;
      prefix.i32(static_cast<std::int32_t>(frame.size()));
      const Bytes length = prefix.take_bytes();
      stream.insert(stream.end(), length.begin(), length.end());
      stream.insert(stream.end(), frame.begin(), frame.end());
      sent.push_back(std::move(frame));
    }
    const std::size_t chunk_max = std::size_t{1} << (1 + random.below(20));
    ASSERT_EQ(read_in_chunks(stream, random, chunk_max), sent) << "seed " << seed;
  }
}

TEST(FrameReaderTest, ALengthTakesNoMemoryBeforeItIsAccepted) {
  BufferPool pool(32u << 20);
  ReceiveSlab slab(pool);
  FrameReader reader;
  EXPECT_EQ(reader.peek(), FrameReader::State::need_bytes);
  FrameReader::Space space = reader.space(slab);
  store_be(space.parts[0].data(), std::int32_t{1 << 30});
  reader.received(4, slab);
  EXPECT_EQ(reader.peek(), FrameReader::State::announced);
  EXPECT_EQ(reader.length(), 1 << 30);
  EXPECT_EQ(pool.taken(), 1u);  // the slab
}

TEST(BufferPoolTest, ReleasedMemoryIsUsedAgainAndTrimmed) {
  BufferPool pool(4u << 20);
  const std::uint8_t* first = nullptr;
  {
    SharedBytes buffer = pool.take(1'000'000);
    EXPECT_EQ(buffer.size(), 1'000'000u);
    first = buffer.data();
    EXPECT_EQ(pool.taken(), 1u);
  }
  EXPECT_GE(pool.free_bytes(), 1'000'000u);
  SharedBytes again = pool.take(1'048'600);
  EXPECT_EQ(again.data(), first);
  again = {};
  pool.trim();
  EXPECT_EQ(pool.free_bytes(), 0u);
  std::vector<SharedBytes> many;
  many.reserve(20);
  for (int i = 0; i < 20; ++i) many.push_back(pool.take(1'000'000));
  many.clear();
  EXPECT_LE(pool.free_bytes(), 4u << 20);
}

}  // namespace
}  // namespace chronik::broker
