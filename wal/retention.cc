#include "wal/retention.h"

namespace chronik::wal {

Timestamp RetentionClock::observe(Timestamp wall, SteadyTime steady) {
  if (!last_.has_value()) {
    last_ = wall;
    last_steady_ = steady;
    return wall;
  }
  const auto elapsed = std::chrono::duration_cast<milliseconds>(steady - last_steady_).count();
  const Timestamp expected = *last_ + elapsed;
  const bool ahead = wall - expected > tolerance_.count();
  if (ahead && !jump_seen_.has_value()) jump_seen_ = steady;
  const bool believed = !ahead || steady - *jump_seen_ >= hold_;
  if (believed) jump_seen_.reset();
  last_ = believed ? wall : expected;
  last_steady_ = steady;
  return *last_;
}

}  // namespace chronik::wal
