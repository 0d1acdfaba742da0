// Timer and TimerHeap: things to do later on one shard. Pure: the heap is told what time it is; the
// shard sleeps until next_deadline(). Arming and cancelling cost O(log n) and no allocation, so
// every waiting fetch and every group member may have a timer of its own.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/clock.h"

namespace chronik::broker {

class TimerHeap;

/// Belongs to the one who waits; its destructor cancels. Not movable: the heap points at it.
class Timer {
 public:
  /// `heap` must outlive the timer (Shard::timers()).
  Timer(TimerHeap& heap, std::function<void()> on_fire)
      : heap_(&heap), on_fire_(std::move(on_fire)) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { cancel(); }

  /// Fires once at `deadline` or soon after; replaces an earlier deadline.
  void arm_at(SteadyTime deadline);
  void cancel();
  bool armed() const { return position_ >= 0; }
  SteadyTime deadline() const { return deadline_; }

 private:
  friend class TimerHeap;
  TimerHeap* heap_;
  std::function<void()> on_fire_;
  SteadyTime deadline_{};
  std::uint64_t order_ = 0;  // equal deadlines fire in the order of arming
  std::int64_t position_ = -1;
};

class TimerHeap {
 public:
  TimerHeap() = default;
  TimerHeap(const TimerHeap&) = delete;
  TimerHeap& operator=(const TimerHeap&) = delete;
  ~TimerHeap();

  std::optional<SteadyTime> next_deadline() const {
    if (heap_.empty()) return std::nullopt;
    return heap_.front()->deadline_;
  }
  std::size_t size() const { return heap_.size(); }

  /// Fires what is due at `now`, earliest first. A timer that is armed meanwhile waits for the next
  /// call, even when it is due, so that the call ends.
  void fire_due(SteadyTime now);

 private:
  friend class Timer;
  void insert(Timer& timer);
  void remove(Timer& timer);
  void sift_up(std::size_t at);
  void sift_down(std::size_t at);
  void place(Timer* timer, std::size_t at);
  static bool before(const Timer& a, const Timer& b) {
    return a.deadline_ != b.deadline_ ? a.deadline_ < b.deadline_ : a.order_ < b.order_;
  }

  std::vector<Timer*> heap_;
  std::uint64_t next_order_ = 0;
};

}  // namespace chronik::broker
