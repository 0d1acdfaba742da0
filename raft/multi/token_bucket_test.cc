#include "raft/multi/token_bucket.h"

#include <gtest/gtest.h>

#include <limits>

namespace chronik::raft {
namespace {

SteadyTime at(int ms) { return SteadyTime{} + milliseconds(ms); }

/// What goes in `seconds`, looked after ten times a second, in pieces of `bytes`.
std::uint64_t goes(TokenBucket& bucket, int seconds, std::uint64_t bytes, int from_ms = 0) {
  std::uint64_t sum = 0;
  for (int tick = 0; tick < seconds * 10; ++tick) {
    bucket.pass(at(from_ms + tick * 100));
    for (; bucket.is_open(); sum += bytes) bucket.take(bytes);
  }
  return sum;
}

TEST(TokenBucket, LetsGoWhatTheRateSaysWhateverTheSizeOfAPiece) {
  for (const std::uint64_t rate : {3ull, 999ull, 100'000ull, 1'000'001ull, 123'456'789ull}) {
    for (const std::uint64_t piece : {rate / 8 + 1, rate, 5 * rate}) {
      TokenBucket bucket;
      bucket.set_rate(rate);
      const std::uint64_t sum = goes(bucket, 100, piece);
      EXPECT_LE(sum, 100 * rate + piece) << rate << " in pieces of " << piece;
      EXPECT_GE(sum + rate, 100 * rate) << rate << " in pieces of " << piece;
    }
  }
}

TEST(TokenBucket, LimitsNothingWithoutARate) {
  TokenBucket bucket;
  EXPECT_FALSE(bucket.is_limited());
  bucket.take(std::numeric_limits<std::uint64_t>::max());
  EXPECT_TRUE(bucket.is_open());
  bucket.set_rate(10);
  bucket.take(1'000'000);
  EXPECT_FALSE(bucket.is_open());
  bucket.set_rate(std::nullopt);
  EXPECT_TRUE(bucket.is_open());
  bucket.set_rate(10);
  EXPECT_TRUE(bucket.is_open()) << "the debt is forgotten";
}

TEST(TokenBucket, PaysItsDebtAtTheNewRate) {
  TokenBucket bucket;
  bucket.set_rate(1);
  bucket.pass(at(0));
  bucket.take(1'000'000);
  bucket.pass(at(10'000));
  EXPECT_FALSE(bucket.is_open());
  bucket.set_rate(10'000'000);
  bucket.pass(at(10'100));
  EXPECT_TRUE(bucket.is_open());
}

TEST(TokenBucket, KeepsNoMoreThanASecondsWorth) {
  TokenBucket bucket;
  bucket.set_rate(1'000);
  bucket.pass(at(0));
  bucket.pass(at(3'600'000));
  bucket.pass(at(3'000'000));
  bucket.take(1'001);
  EXPECT_FALSE(bucket.is_open());
}

TEST(TokenBucket, ARateOfNothingLetsSomethingGoAtSomeTime) {
  TokenBucket bucket;
  bucket.set_rate(0);
  EXPECT_TRUE(bucket.is_limited());
  EXPECT_GE(goes(bucket, 1'000, 100), 900u);
}

}  // namespace
}  // namespace chronik::raft
