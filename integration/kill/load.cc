#include "integration/kill/load.h"

namespace chronik::integration {

void StepGate::enter() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !closed_; });
  ++inside_;
}

void StepGate::leave() {
  const std::lock_guard lock(mutex_);
  --inside_;
  changed_.notify_all();
}

void StepGate::close() {
  std::unique_lock lock(mutex_);
  closed_ = true;
  changed_.wait(lock, [this] { return inside_ == 0; });
}

void StepGate::open() {
  const std::lock_guard lock(mutex_);
  closed_ = false;
  changed_.notify_all();
}

LoadThread::LoadThread(Load& load, StepGate& gate)
    : thread_([&load, &gate](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
          gate.enter();
          load.step();
          gate.leave();
        }
      }) {}

}  // namespace chronik::integration
