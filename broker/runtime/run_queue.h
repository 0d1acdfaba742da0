// RunQueue: the coroutines of one thread that may go on. Whoever completes a Promise puts the
// waiter here instead of resuming it in the middle of its own work; the shard drains the queue at
// the end of each event, a test or a simulator drains it by hand. No locks: all calls on the thread
// that owns the queue.
#pragma once

#include <coroutine>
#include <utility>
#include <vector>

#include "base/check.h"

namespace chronik::broker {

class RunQueue {
 public:
  RunQueue() = default;
  RunQueue(const RunQueue&) = delete;
  RunQueue& operator=(const RunQueue&) = delete;
  ~RunQueue() { CHECK(ready_.empty()); }

  void push(std::coroutine_handle<> handle) { ready_.push_back(handle); }
  bool empty() const { return ready_.empty(); }

  /// Resumes in order of push until nothing is left, what was pushed meanwhile included. Not to be
  /// called from inside a coroutine that runs here.
  void drain() {
    CHECK(!draining_);
    draining_ = true;
    while (!ready_.empty()) {
      running_.swap(ready_);
      for (std::coroutine_handle<> handle : running_) handle.resume();
      running_.clear();
    }
    draining_ = false;
  }

  /// The queue of the calling thread; null on a thread without one.
  static RunQueue* current() { return current_; }

  /// Makes `queue` (or none) the calling thread's; returns the one before.
  static RunQueue* set_current(RunQueue* queue) { return std::exchange(current_, queue); }

 private:
  static thread_local constinit RunQueue* current_;

  std::vector<std::coroutine_handle<>> ready_;
  std::vector<std::coroutine_handle<>> running_;
  bool draining_ = false;
};

}  // namespace chronik::broker
