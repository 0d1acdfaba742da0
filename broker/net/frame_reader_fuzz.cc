// The frames that FrameReader finds in any bytes, arriving in any chunks, are those that a simple
// splitter finds in the whole; and nothing is allocated by a length that the limit refuses.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "base/coding.h"
#include "base/random.h"
#include "broker/net/frame_reader.h"

namespace chronik::broker {
namespace {

constexpr std::int32_t frame_bytes_max = 300'000;

std::vector<ByteView> split(ByteView stream) {
  std::vector<ByteView> frames;
  while (stream.size() >= 4) {
    const auto length = load_be<std::int32_t>(stream.data());
    if (length < 0 || length > frame_bytes_max) break;
    const auto size = static_cast<std::size_t>(length);
    if (stream.size() - 4 < size) break;
    frames.push_back(stream.subspan(4, size));
    stream = stream.subspan(4 + size);
  }
  return frames;
}

class Feeder {
 public:
  Feeder(ByteView stream, Random random) : stream_(stream), random_(random), slab_(pool_) {}

  std::vector<SharedBytes> run() {
    while (parse() && !stream_.empty()) receive();
    return std::move(frames_);
  }

 private:
  /// False after a length that no one would accept.
  bool parse() {
    for (;;) {
      const FrameReader::State state = reader_.peek();
      if (state == FrameReader::State::need_bytes) return true;
      if (random_.one_in(4)) reader_.park();
      if (state == FrameReader::State::complete) {
        frames_.push_back(reader_.take());
        continue;
      }
      if (reader_.length() < 0 || reader_.length() > frame_bytes_max) return false;
      if (auto frame = reader_.accept(pool_)) frames_.push_back(std::move(*frame));
    }
  }

  void receive() {
    const FrameReader::Space space = reader_.space(slab_);
    const std::size_t chunk_max = random_.one_in(3) ? 5 : 100'000;
    const std::size_t size = std::min(
        {1 + static_cast<std::size_t>(random_.below(chunk_max)), space.size(), stream_.size()});
    std::size_t left = size;
    for (std::size_t i = 0; i < space.count && left > 0; ++i) {
      const std::size_t part = std::min(left, space.parts[i].size());
      std::copy_n(stream_.begin(), part, space.parts[i].begin());
      stream_ = stream_.subspan(part);
      left -= part;
    }
    reader_.received(size, slab_);
  }

  ByteView stream_;
  Random random_;
  BufferPool pool_{32u << 20};
  ReceiveSlab slab_;
  FrameReader reader_;
  std::vector<SharedBytes> frames_;
};

}  // namespace
}  // namespace chronik::broker

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace chronik;
  if (size < 3) return 0;
  // Lengths are mostly nonsense in random bytes; where the mark is set they are made small.
  Bytes stream(data + 3, data + size);
  if (data[2] % 2 == 1) {
    for (std::size_t at = 0; at + 4 <= stream.size();) {
      const std::uint32_t small = load_be<std::uint32_t>(stream.data() + at) % 100;
      store_be(stream.data() + at, small);
      at += 4 + small;
    }
  }
  const std::vector<ByteView> expected = broker::split(stream);
  broker::Feeder feeder(stream, Random(static_cast<std::uint64_t>(data[0]) << 8 | data[1]));
  const std::vector<SharedBytes> frames = feeder.run();
  CHECK(frames.size() == expected.size());
  for (std::size_t i = 0; i < frames.size(); ++i) {
    CHECK(std::equal(frames[i].view().begin(), frames[i].view().end(), expected[i].begin(),
                     expected[i].end()));
  }
  return 0;
}
