// Clock: the only door to time. Wall time is for timestamps, retention and what users see, and may
// jump either way; steady time is for timeouts and never goes back.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/types.h"

namespace chronik {

using SteadyTime = std::chrono::steady_clock::time_point;
using std::chrono::milliseconds;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Timestamp now_ms() const = 0;
  virtual SteadyTime steady_now() const = 0;
};

class SystemClock final : public Clock {
 public:
  Timestamp now_ms() const override;
  SteadyTime steady_now() const override;
};

/// A clock that stands still until it is told; for tests and simulation.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Timestamp wall = 1'700'000'000'000) : wall_(wall) {}

  Timestamp now_ms() const override { return wall_; }
  SteadyTime steady_now() const override { return steady_; }

  void advance(milliseconds step) {
    wall_ += step.count();
    steady_ += step;
  }
  /// A jump of the wall clock alone, either way.
  void jump_wall(milliseconds step) { wall_ += step.count(); }

 private:
  Timestamp wall_;
  SteadyTime steady_{};
};

}  // namespace chronik
