// Watchdog: notices turns that kept a shard's thread too long (a handler that computes, a read that
// went to a cold disk) and logs what ran, at most once a second. One shard.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/clock.h"

namespace chronik::broker {

class Watchdog {
 public:
  explicit Watchdog(milliseconds limit = milliseconds(100)) : limit_(limit) {}

  void set_limit(milliseconds limit) { limit_ = limit; }
  /// Says what the turn works on, for the log line; a text that lives for ever, such as the name of
  /// an API.
  void note(std::string_view activity) { activity_ = activity; }

  /// To be called at the end of each turn. True when it was over the limit.
  bool turn_ended(std::uint32_t shard, SteadyTime begin, SteadyTime end);

  std::uint64_t slow_turns() const { return slow_turns_; }

 private:
  milliseconds limit_;
  std::string_view activity_;
  std::uint64_t slow_turns_ = 0;
  SteadyTime quiet_until_{};
};

}  // namespace chronik::broker
