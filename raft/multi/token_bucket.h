// TokenBucket: how many bytes may go when only so many a second may. Who takes may leave it in
// debt, so that a piece of any size goes at some time; what is not taken is kept for a second.
// Pure: time is handed in.
#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"

namespace chronik::raft {

class TokenBucket {
 public:
  /// Nothing: there is no limit. What was taken before stays a debt, paid at the new rate.
  void set_rate(std::optional<std::uint64_t> bytes_per_second);
  /// Time passes up to `now`; earlier times change nothing.
  void pass(SteadyTime now);

  bool is_limited() const { return rate_ > 0; }
  /// Whether something may be taken.
  bool is_open() const { return rate_ == 0 || balance_ >= 0; }
  /// What is best taken at once, so that what waits takes turns: a part of a second's worth.
  std::uint64_t piece() const;
  void take(std::uint64_t bytes);
  /// Of what was taken, this much was not used.
  void give_back(std::uint64_t bytes);

 private:
  std::int64_t rate_ = 0;     // bytes a second; 0: no limit
  std::int64_t balance_ = 0;  // bytes
  std::int64_t part_ = 0;     // of a byte that has come already, in millionths
  std::optional<SteadyTime> at_;
};

}  // namespace chronik::raft
