#include "broker/runtime/timer.h"

#include "base/check.h"

namespace chronik::broker {

void Timer::arm_at(SteadyTime deadline) {
  cancel();
  deadline_ = deadline;
  heap_->insert(*this);
}

void Timer::cancel() {
  if (position_ >= 0) heap_->remove(*this);
}

TimerHeap::~TimerHeap() {
  for (Timer* timer : heap_) timer->position_ = -1;
}

void TimerHeap::fire_due(SteadyTime now) {
  const std::uint64_t armed_before = next_order_;
  while (!heap_.empty()) {
    Timer& timer = *heap_.front();
    if (timer.deadline_ > now || timer.order_ >= armed_before) return;
    remove(timer);
    // A copy, since the callback may destroy its timer.
    std::function<void()> on_fire = timer.on_fire_;
    on_fire();
  }
}

void TimerHeap::insert(Timer& timer) {
  CHECK(timer.position_ < 0);
  timer.order_ = next_order_++;
  heap_.push_back(&timer);
  timer.position_ = static_cast<std::int64_t>(heap_.size()) - 1;
  sift_up(heap_.size() - 1);
}

void TimerHeap::remove(Timer& timer) {
  const auto at = static_cast<std::size_t>(timer.position_);
  CHECK(at < heap_.size() && heap_[at] == &timer);
  timer.position_ = -1;
  Timer* moved = heap_.back();
  heap_.pop_back();
  if (moved == &timer) return;
  place(moved, at);
  sift_up(at);
  sift_down(static_cast<std::size_t>(moved->position_));
}

void TimerHeap::sift_up(std::size_t at) {
  Timer* timer = heap_[at];
  while (at > 0) {
    const std::size_t parent = (at - 1) / 2;
    if (!before(*timer, *heap_[parent])) break;
    place(heap_[parent], at);
    at = parent;
  }
  place(timer, at);
}

void TimerHeap::sift_down(std::size_t at) {
  Timer* timer = heap_[at];
  for (;;) {
    std::size_t child = 2 * at + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && before(*heap_[child + 1], *heap_[child])) ++child;
    if (!before(*heap_[child], *timer)) break;
    place(heap_[child], at);
    at = child;
  }
  place(timer, at);
}

void TimerHeap::place(Timer* timer, std::size_t at) {
  heap_[at] = timer;
  timer->position_ = static_cast<std::int64_t>(at);
}

}  // namespace chronik::broker
