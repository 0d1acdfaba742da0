// MemoryTrim: gives memory back to the system once a process that has worked works no more. The
// allocator keeps what was freed between blocks that are in use: after a load, or after thousands
// of partitions were made, that is most of what the process seems to need.
//
// On one shard. It looks every interval(), at the CPU time that was used since.
#pragma once

#include <functional>

#include "base/clock.h"
#include "broker/runtime/timer.h"

namespace chronik::broker {

class MemoryTrim {
 public:
  /// `cpu_time`: of the process so far. `trim` does it, elsewhere: it takes milliseconds, in which
  /// other threads may have to wait for memory.
  MemoryTrim(TimerHeap& timers, const Clock& clock, std::function<milliseconds()> cpu_time,
             std::function<void()> trim);

  static milliseconds interval() { return milliseconds(15'000); }

 private:
  void look();

  const Clock& clock_;
  const std::function<milliseconds()> cpu_time_;
  const std::function<void()> trim_;
  milliseconds before_{};
  bool worked_ = false;
  Timer timer_;
};

/// CPU time of all threads of this process.
milliseconds process_cpu_time();
/// Gives back what the allocator has free, in all its arenas.
void trim_process_memory();

}  // namespace chronik::broker
