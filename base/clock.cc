#include "base/clock.h"

namespace chronik {

Timestamp SystemClock::now_ms() const {
  return std::chrono::duration_cast<milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

SteadyTime SystemClock::steady_now() const { return std::chrono::steady_clock::now(); }

}  // namespace chronik
