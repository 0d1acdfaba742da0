// on(shard, fn): runs fn on another shard and comes back with its result. fn is a plain callable or
// gives a Task; what it captured is destroyed where it was made. Two messages, no allocation: the
// message lies in the frame of the caller.
//
//   auto work = [&table, key] { return table.find(key); };
//   auto hop = on(shard, work);
//   Found found = co_await hop;
//
// One hop per request or per batch, never per record. References captured must stay valid: the
// caller's frame waits, so its locals do.
#pragma once

#include <optional>
#include <type_traits>
#include <utility>

#include "broker/runtime/shard.h"

namespace chronik::broker {

namespace detail {

template <class R>
struct HopResult {
  using Type = R;
  static constexpr bool is_task = false;
};
template <class T>
struct HopResult<Task<T>> {
  using Type = T;
  static constexpr bool is_task = true;
};

template <class F>
class [[nodiscard]] Hop final : Posted {
  using Returned = std::invoke_result_t<F&>;
  using Value = typename HopResult<Returned>::Type;
  using Stored = std::conditional_t<std::is_void_v<Value>, Unit, Value>;

 public:
  Hop(Shard& target, F fn) : target_(&target), fn_(std::move(fn)) {}
  Hop(const Hop&) = delete;
  Hop& operator=(const Hop&) = delete;

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> caller) {
    home_ = Shard::current();
    CHECK(home_ != nullptr);
    caller_ = caller;
    if (target_ == home_) {
      start();
      if (result_) return false;
      suspended_ = true;
      return true;
    }
    suspended_ = true;
    run = [](Posted& self) { static_cast<Hop&>(self).start(); };
    target_->post(static_cast<Posted&>(*this));
    return true;
  }
  Value await_resume() {
    if constexpr (!std::is_void_v<Value>) return std::move(*result_);
  }

 private:
  void start() {
    if constexpr (HopResult<Returned>::is_task) {
      drive(this);
    } else if constexpr (std::is_void_v<Returned>) {
      fn_();
      finish(Unit{});
    } else {
      finish(fn_());
    }
  }

  static Detached drive(Hop* self) {
    Returned task = self->fn_();
    if constexpr (std::is_void_v<Value>) {
      co_await std::move(task);
      self->finish(Unit{});
    } else {
      Value value = co_await std::move(task);
      self->finish(std::move(value));
    }
  }

  void finish(Stored value) {
    result_.emplace(std::move(value));
    if (!suspended_) return;  // still inside await_suspend, on the home shard
    if (target_ == home_) {
      home_->run_queue().push(caller_);
      return;
    }
    run = [](Posted& self) {
      Hop& hop = static_cast<Hop&>(self);
      hop.home_->run_queue().push(hop.caller_);
    };
    home_->post(static_cast<Posted&>(*this));
  }

  Shard* target_;
  Shard* home_ = nullptr;
  F fn_;
  std::optional<Stored> result_;
  std::coroutine_handle<> caller_;
  bool suspended_ = false;
};

}  // namespace detail

/// See above. On the calling shard itself fn runs at once, without a message.
template <class F>
detail::Hop<F> on(Shard& target, F fn) {
  return detail::Hop<F>(target, std::move(fn));
}

}  // namespace chronik::broker
