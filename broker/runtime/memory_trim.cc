#include "broker/runtime/memory_trim.h"

#include <malloc.h>
#include <time.h>

#include <utility>

namespace chronik::broker {

namespace {

// Of an interval: 2 % of a core.
constexpr milliseconds idle_max{300};

}  // namespace

MemoryTrim::MemoryTrim(TimerHeap& timers, const Clock& clock,
                       std::function<milliseconds()> cpu_time, std::function<void()> trim)
    : clock_(clock),
      cpu_time_(std::move(cpu_time)),
      trim_(std::move(trim)),
      timer_(timers, [this] { look(); }) {
  look();
}

void MemoryTrim::look() {
  const milliseconds now = cpu_time_();
  const bool idle = now - std::exchange(before_, now) <= idle_max;
  if (idle && std::exchange(worked_, false)) trim_();
  if (!idle) worked_ = true;
  timer_.arm_at(clock_.steady_now() + interval());
}

milliseconds process_cpu_time() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return milliseconds(time.tv_sec * 1000 + time.tv_nsec / 1'000'000);
}

void trim_process_memory() { ::malloc_trim(0); }

}  // namespace chronik::broker
