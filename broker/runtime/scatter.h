// Scatter: starts work on several shards at once and waits for all of it. What it starts on one
// shard begins there in the order of the calls, so requests that go to the same partition keep
// their order.
//
//   Scatter scatter;
//   scatter.start(shard, [&] { return append_there(...); });   // a callable that gives a
//   Task<void>, run on `shard` co_await scatter.all();                                    //
//   always, before anything it refers to goes
#pragma once

#include <cstddef>
#include <utility>

#include "base/check.h"
#include "broker/runtime/future.h"
#include "broker/runtime/shard.h"
#include "broker/runtime/task.h"

namespace chronik::broker {

class Scatter {
 public:
  /// To be made and awaited on one shard.
  Scatter() : home_(Shard::current()) { CHECK(home_ != nullptr); }
  Scatter(const Scatter&) = delete;
  Scatter& operator=(const Scatter&) = delete;
  ~Scatter() { CHECK(running_ == 0); }

  template <class MakeTask>
  void start(Shard& target, MakeTask make_task) {
    ++running_;
    if (&target == home_) {
      drive(this, std::move(make_task));
    } else {
      target.post([this, make = std::move(make_task)]() mutable { drive(this, std::move(make)); });
    }
  }

  Future<void> all() {
    Future<void> future = done_.future();
    if (running_ == 0) done_.set();
    awaited_ = true;
    return future;
  }

 private:
  template <class MakeTask>
  static detail::Detached drive(Scatter* self, MakeTask make_task) {
    {
      Task<void> task = make_task();
      co_await std::move(task);
    }
    if (Shard::current() == self->home_) {
      self->ended();
    } else {
      self->home_->post([self] { self->ended(); });
    }
  }

  void ended() {
    if (--running_ == 0 && awaited_) done_.set();
  }

  Shard* home_;
  std::size_t running_ = 0;
  bool awaited_ = false;
  Promise<void> done_;
};

}  // namespace chronik::broker
