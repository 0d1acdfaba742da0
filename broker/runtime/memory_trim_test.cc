#include "broker/runtime/memory_trim.h"

#include <gtest/gtest.h>

namespace chronik::broker {
namespace {

class MemoryTrimTest : public testing::Test {
 protected:
  /// An interval in which so much CPU time is used; how often it was trimmed so far.
  int pass(milliseconds used) {
    cpu_time_ += used;
    clock_.advance(MemoryTrim::interval());
    timers_.fire_due(clock_.steady_now());
    return trimmed_;
  }

  ManualClock clock_;
  TimerHeap timers_;
  milliseconds cpu_time_{50};
  int trimmed_ = 0;
  MemoryTrim trim_{timers_, clock_, [this] { return cpu_time_; }, [this] { ++trimmed_; }};
};

TEST_F(MemoryTrimTest, OnceWhenWorkHasEnded) {
  EXPECT_EQ(pass(milliseconds(10)), 0) << "nothing was done yet";
  EXPECT_EQ(pass(milliseconds(5'000)), 0);
  EXPECT_EQ(pass(milliseconds(9'000)), 0);
  EXPECT_EQ(pass(milliseconds(10)), 1);
  EXPECT_EQ(pass(milliseconds(10)), 1);
  EXPECT_EQ(pass(milliseconds(400)), 1);
  EXPECT_EQ(pass(milliseconds(0)), 2);
}

TEST_F(MemoryTrimTest, AfterAStartThatTookLong) {
  cpu_time_ = milliseconds(4'000);
  int trimmed = 0;
  const MemoryTrim trim(
      timers_, clock_, [this] { return cpu_time_; }, [&] { ++trimmed; });
  pass(milliseconds(10));
  EXPECT_EQ(trimmed, 1);
}

}  // namespace
}  // namespace chronik::broker
