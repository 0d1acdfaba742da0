#include "broker/runtime/timer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "base/random.h"

namespace chronik::broker {
namespace {

SteadyTime at(int ms) { return SteadyTime{} + milliseconds(ms); }

TEST(TimerTest, FiresInOrderOfDeadlineThenOfArming) {
  TimerHeap heap;
  std::vector<int> fired;
  Timer a(heap, [&] { fired.push_back(1); });
  Timer b(heap, [&] { fired.push_back(2); });
  Timer c(heap, [&] { fired.push_back(3); });
  a.arm_at(at(20));
  b.arm_at(at(10));
  c.arm_at(at(20));
  EXPECT_EQ(heap.next_deadline(), at(10));
  heap.fire_due(at(9));
  EXPECT_TRUE(fired.empty());
  heap.fire_due(at(30));
  EXPECT_EQ(fired, (std::vector<int>{2, 1, 3}));
  EXPECT_FALSE(heap.next_deadline());
}

TEST(TimerTest, ACallbackMayRearmOrDestroyItsTimer) {
  TimerHeap heap;
  int fired = 0;
  Timer again(heap, [&] {
    ++fired;
    again.arm_at(at(0));
  });
  again.arm_at(at(0));
  std::unique_ptr<Timer> once;
  once = std::make_unique<Timer>(heap, [&] { once.reset(); });
  once->arm_at(at(0));
  heap.fire_due(at(5));
  EXPECT_EQ(fired, 1);
  EXPECT_EQ(once, nullptr);
  EXPECT_TRUE(again.armed());
}

TEST(TimerTest, CancelledAndMovedTimersAgreeWithASortedList) {
  Random random(7);
  TimerHeap heap;
  std::vector<int> fired;
  std::vector<std::unique_ptr<Timer>> timers;
  timers.reserve(200);
  std::vector<int> deadlines(200, -1);
  for (int i = 0; i < 200; ++i) {
    timers.push_back(std::make_unique<Timer>(heap, [&fired, i] { fired.push_back(i); }));
  }
  for (int step = 0; step < 5000; ++step) {
    const auto i = static_cast<std::size_t>(random.below(200));
    if (random.one_in(3)) {
      timers[i]->cancel();
      deadlines[i] = -1;
    } else {
      deadlines[i] = static_cast<int>(random.below(1000));
      timers[i]->arm_at(at(deadlines[i]));
    }
  }
  std::size_t armed = 0;
  for (int deadline : deadlines) armed += deadline >= 0;
  EXPECT_EQ(heap.size(), armed);
  heap.fire_due(at(1000));
  EXPECT_EQ(fired.size(), armed);
  EXPECT_TRUE(std::is_sorted(fired.begin(), fired.end(), [&](int a, int b) {
    return deadlines[static_cast<std::size_t>(a)] < deadlines[static_cast<std::size_t>(b)];
  }));
}

}  // namespace
}  // namespace chronik::broker
