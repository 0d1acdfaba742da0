#include "base/fifo.h"

#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <memory>

#include "base/random.h"

namespace chronik {
namespace {

TEST(FifoTest, DoesAsADequeDoes) {
  Random random(7);
  Fifo<int> fifo;
  std::deque<int> model;
  for (int i = 0; i < 20'000; ++i) {
    const std::uint64_t draw = random.below(100);
    // It fills for a while, then it drains.
    const std::uint64_t fill = i / 500 % 2 == 0 ? 65 : 35;
    if (draw < fill || model.empty()) {
      fifo.push_back(i);
      model.push_back(i);
    } else if (draw < 95) {
      fifo.pop_front();
      model.pop_front();
    } else if (draw < 99) {
      fifo.pop_back();
      model.pop_back();
    } else if (random.one_in(20)) {
      fifo.clear();
      model.clear();
    }
    ASSERT_EQ(fifo.size(), model.size());
    ASSERT_EQ(fifo.empty(), model.empty());
    if (model.empty()) continue;
    ASSERT_EQ(fifo.front(), model.front());
    ASSERT_EQ(fifo.back(), model.back());
    ASSERT_TRUE(std::equal(fifo.begin(), fifo.end(), model.begin(), model.end()));
  }
}

TEST(FifoTest, LetsGoOfWhatWasTaken) {
  auto kept = std::make_shared<int>(1);
  Fifo<std::shared_ptr<int>> fifo;
  fifo.push_back(kept);
  fifo.push_back(std::make_shared<int>(2));
  fifo.pop_front();
  EXPECT_EQ(kept.use_count(), 1);
}

// Each of ten thousand partitions has a few that are empty nearly always.
TEST(FifoTest, AnEmptyOneKeepsLittleMemory) {
  Fifo<std::array<char, 240>> fifo;
  for (int burst : {1, 2, 3, 100}) {
    for (int i = 0; i < burst; ++i) fifo.push_back({});
    EXPECT_GE(fifo.bytes_held(), static_cast<std::size_t>(burst) * 240);
    while (!fifo.empty()) fifo.pop_front();
    EXPECT_LE(fifo.bytes_held(), 512u);
  }
}

}  // namespace
}  // namespace chronik
