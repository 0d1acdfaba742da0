// RetentionClock: turns the wall clock into the time by which things grow old: segments, committed
// offsets, what is remembered of producers. It follows the wall clock, except that a jump ahead
// (more than `tolerance` beyond what the steady clock saw) is believed only after `hold`: until
// then retention time goes on at the steady rate, so that a clock that is wrong for a while deletes
// nothing. Back jumps are followed at once (things live longer). What a first reading says is
// believed, so the owner observes once when it starts. Pure.
#pragma once

#include <optional>

#include "base/clock.h"

namespace chronik::wal {

class RetentionClock {
 public:
  explicit RetentionClock(milliseconds tolerance = std::chrono::minutes(10),
                          milliseconds hold = std::chrono::hours(1))
      : tolerance_(tolerance), hold_(hold) {}

  /// The time to hand to PartitionLog::apply_retention.
  Timestamp observe(Timestamp wall, SteadyTime steady);
  /// Whether a jump ahead is being waited out.
  bool holding() const { return jump_seen_.has_value(); }
  milliseconds hold() const { return hold_; }

 private:
  milliseconds tolerance_;
  milliseconds hold_;
  std::optional<Timestamp> last_;
  SteadyTime last_steady_{};
  std::optional<SteadyTime> jump_seen_;
};

}  // namespace chronik::wal
