#include "wal/retention.h"

#include <gtest/gtest.h>

namespace chronik::wal {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

class RetentionClockTest : public ::testing::Test {
 protected:
  RetentionClockTest() { observe(); }

  Timestamp observe() { return retention_.observe(clock_.now_ms(), clock_.steady_now()); }
  /// Passes of five minutes, as the broker makes them.
  void pass_time(milliseconds time) {
    for (milliseconds passed{0}; passed < time; passed += minutes(5)) {
      clock_.advance(minutes(5));
      observe();
    }
  }

  ManualClock clock_;
  RetentionClock retention_;
};

TEST_F(RetentionClockTest, FollowsTheClockAndItsSmallCorrections) {
  pass_time(hours(24));
  EXPECT_EQ(observe(), clock_.now_ms());
  clock_.jump_wall(minutes(9));
  EXPECT_EQ(observe(), clock_.now_ms());
  EXPECT_FALSE(retention_.holding());
}

TEST_F(RetentionClockTest, AJumpAheadThatIsTakenBackMakesNothingOld) {
  const Timestamp before = clock_.now_ms();
  clock_.jump_wall(hours(24 * 365));
  EXPECT_EQ(observe(), before);
  EXPECT_TRUE(retention_.holding());
  pass_time(minutes(55));
  EXPECT_EQ(observe(), before + milliseconds(minutes(55)).count());
  clock_.jump_wall(-hours(24 * 365));
  EXPECT_EQ(observe(), clock_.now_ms());
  EXPECT_FALSE(retention_.holding());
}

TEST_F(RetentionClockTest, AJumpAheadThatStaysIsBelieved) {
  clock_.jump_wall(hours(24));
  observe();
  pass_time(minutes(65));
  EXPECT_EQ(observe(), clock_.now_ms());
  EXPECT_FALSE(retention_.holding());
  // And the next one is held again.
  clock_.jump_wall(hours(24));
  EXPECT_LT(observe(), clock_.now_ms());
}

TEST_F(RetentionClockTest, AJumpBackIsFollowedAtOnce) {
  clock_.jump_wall(-hours(24));
  EXPECT_EQ(observe(), clock_.now_ms());
  // Its correction is a jump ahead: a while later all is as before.
  clock_.jump_wall(hours(24));
  EXPECT_LT(observe(), clock_.now_ms());
  pass_time(minutes(65));
  EXPECT_EQ(observe(), clock_.now_ms());
}

}  // namespace
}  // namespace chronik::wal
