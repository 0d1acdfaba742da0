#include "raft/multi/token_bucket.h"

#include <algorithm>
#include <limits>

namespace chronik::raft {

namespace {

constexpr std::int64_t rate_max = std::int64_t{1} << 40;
constexpr std::uint64_t pieces_a_second = 8;
constexpr std::uint64_t piece_min = 4096;
constexpr std::int64_t million = 1'000'000;

}  // namespace

void TokenBucket::set_rate(std::optional<std::uint64_t> bytes_per_second) {
  if (!bytes_per_second || *bytes_per_second >= static_cast<std::uint64_t>(rate_max)) {
    *this = {};
    return;
  }
  // One byte a second for nothing at all: whoever waits gets there at some time.
  rate_ = std::max<std::int64_t>(1, static_cast<std::int64_t>(*bytes_per_second));
  balance_ = std::min(balance_, rate_);
}

void TokenBucket::pass(SteadyTime now) {
  if (rate_ == 0 || (at_ && now <= *at_)) return;
  const SteadyTime before = at_.value_or(now);
  at_ = now;
  using std::chrono::duration_cast;
  // A second fills it, and an hour at once is enough to pay any debt with.
  const auto time = std::min<std::chrono::microseconds>(
      duration_cast<std::chrono::microseconds>(now - before), std::chrono::hours(1));
  const std::int64_t seconds = time.count() / million;
  part_ += time.count() % million * (rate_ % million);
  balance_ += seconds * rate_ + time.count() % million * (rate_ / million) + part_ / million;
  part_ %= million;
  balance_ = std::min(balance_, rate_);
}

std::uint64_t TokenBucket::piece() const {
  if (rate_ == 0) return std::numeric_limits<std::uint64_t>::max();
  return std::max(piece_min, static_cast<std::uint64_t>(rate_) / pieces_a_second);
}

void TokenBucket::take(std::uint64_t bytes) {
  if (rate_ > 0) balance_ -= static_cast<std::int64_t>(bytes);
}

void TokenBucket::give_back(std::uint64_t bytes) {
  if (rate_ > 0) balance_ = std::min(rate_, balance_ + static_cast<std::int64_t>(bytes));
}

}  // namespace chronik::raft
