#include "base/sync_threads.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <vector>

namespace chronik {
namespace {

using std::chrono::microseconds;

// No call is quick enough to go on alone after it, and every one is.
constexpr microseconds none{-1};
constexpr microseconds any{3'600'000'000};

TEST(SyncThreads, MakesEachCallOnceFromManyCallersAtOnce) {
  SyncThreads threads(3, none);
  std::vector<std::thread> callers;
  callers.reserve(4);
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      for (std::size_t count = 0; count < 40; ++count) {
        std::vector<std::atomic<int>> calls(count);
        EXPECT_TRUE(threads.run(count, [&](std::size_t number) -> Result<void> {
          ++calls[number];
          return {};
        }));
        for (const auto& made : calls) EXPECT_EQ(made, 1);
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
}

TEST(SyncThreads, CallsOverlapWhereTheyAreSlow) {
  SyncThreads threads(2, none);
  // After the first one, three wait for each other: one caller alone would never return.
  std::latch together(3);
  EXPECT_TRUE(threads.run(4, [&](std::size_t number) -> Result<void> {
    if (number > 0) together.arrive_and_wait();
    return {};
  }));
}

TEST(SyncThreads, StaysOnTheCallersThreadWhereTheyAreQuick) {
  SyncThreads threads(2, any);
  const std::thread::id self = std::this_thread::get_id();
  EXPECT_TRUE(threads.run(50, [&](std::size_t) -> Result<void> {
    EXPECT_EQ(std::this_thread::get_id(), self);
    return {};
  }));
}

// A failed sync must not be hidden behind one that may be tried again: the second try would
// succeed, and what the first one lost be acknowledged.
TEST(SyncThreads, AFailureIsNotHiddenByOneThatMayBeTriedAgain) {
  SyncThreads threads(2, none);
  for (std::size_t failing = 0; failing < 6; ++failing) {
    const Result<void> result = threads.run(6, [&](std::size_t number) -> Result<void> {
      if (number == failing) return Error{Errc::io, "lost"};
      if (number == 0) return {};
      return Error{Errc::busy, "later"};
    });
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::io) << failing;
  }
}

}  // namespace
}  // namespace chronik
