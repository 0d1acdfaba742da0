#include "broker/runtime/watchdog.h"

#include "base/log.h"

namespace chronik::broker {

bool Watchdog::turn_ended(std::uint32_t shard, SteadyTime begin, SteadyTime end) {
  std::string_view activity = activity_;
  activity_ = {};
  if (end - begin <= limit_) [[likely]]
    return false;
  ++slow_turns_;
  if (end >= quiet_until_) {
    quiet_until_ = end + std::chrono::seconds(1);
    auto held = std::chrono::duration_cast<milliseconds>(end - begin);
    log_warn("a turn held its shard too long",
             {{"shard", shard},
              {"ms", held.count()},
              {"limit_ms", limit_.count()},
              {"last", activity.empty() ? std::string_view("internal") : activity},
              {"slow_turns", slow_turns_}});
  }
  return true;
}

}  // namespace chronik::broker
