// Task<T>: a lazy coroutine that one caller awaits once. It starts when awaited, runs on the thread
// of its caller, and never moves to another. No Asio here, no allocation but the frame.
//
//   Task<int> half(int x) { co_return x / 2; }
//   Task<void> use() { Task<int> task = half(8);  int four = co_await std::move(task); }
//
// A Task that is destroyed before it finished destroys its frame, and so everything in it: only the
// awaiting frame may do that. Coroutines are named functions that take their parameters by value
// (or references to what outlives them); never lambdas with captures, and nothing with a
// destructor, no `?:` and no braces inside a co_await expression: g++ 12 miscompiles those.
// Exceptions do not leave a coroutine: one that tries ends the process.
#pragma once

#include <coroutine>
#include <optional>
#include <utility>

#include "base/check.h"
#include "broker/runtime/gate.h"

namespace chronik::broker {

template <class T = void>
class Task;

namespace detail {

class TaskPromiseBase {
 public:
  std::suspend_always initial_suspend() noexcept { return {}; }

  // A child that finished while its caller was still starting it just returns: the caller finds
  // finished_ and goes on without a suspension, so a loop over ready tasks does not grow the stack.
  struct FinalAwaiter {
    bool await_ready() noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> handle) noexcept {
      TaskPromiseBase& self = handle.promise();
      self.finished_ = true;
      if (self.caller_) return self.caller_;
      return std::noop_coroutine();
    }
    void await_resume() noexcept {}
  };
  FinalAwaiter final_suspend() noexcept { return {}; }

  void unhandled_exception() noexcept {
    check_failed("an exception left a coroutine", __FILE__, __LINE__);
  }

  bool finished_ = false;
  std::coroutine_handle<> caller_;
};

template <class T>
class TaskPromise final : public TaskPromiseBase {
 public:
  Task<T> get_return_object();
  template <class U>
  void return_value(U&& value) {
    value_.emplace(std::forward<U>(value));
  }
  T take() { return std::move(*value_); }

 private:
  std::optional<T> value_;
};

template <>
class TaskPromise<void> final : public TaskPromiseBase {
 public:
  Task<void> get_return_object();
  void return_void() {}
  void take() {}
};

}  // namespace detail

template <class T>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::TaskPromise<T>;
  using Value = T;

  explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      destroy();
      handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
  }
  ~Task() { destroy(); }

  struct Awaiter {
    std::coroutine_handle<promise_type> handle;

    bool await_ready() noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> caller) noexcept {
      promise_type& promise = handle.promise();
      handle.resume();
      if (promise.finished_) return false;
      promise.caller_ = caller;
      return true;
    }
    T await_resume() noexcept { return handle.promise().take(); }
  };

  /// Starts the task; it must not have been awaited before. The Task must outlive the await.
  Awaiter operator co_await() && noexcept {
    CHECK(handle_ && !handle_.promise().finished_);
    return Awaiter{handle_};
  }

 private:
  void destroy() {
    if (handle_) handle_.destroy();
  }

  std::coroutine_handle<promise_type> handle_;
};

namespace detail {

template <class T>
Task<T> TaskPromise<T>::get_return_object() {
  return Task<T>(std::coroutine_handle<TaskPromise<T>>::from_promise(*this));
}
inline Task<void> TaskPromise<void>::get_return_object() {
  return Task<void>(std::coroutine_handle<TaskPromise<void>>::from_promise(*this));
}

struct Detached {
  struct promise_type {
    Detached get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() noexcept {
      check_failed("an exception left a coroutine", __FILE__, __LINE__);
    }
  };
};

inline Detached run_detached(Task<void> task, Gate::Hold hold) {
  co_await std::move(task);
  // The frame of the task goes before the gate opens: whoever waits for the gate may then destroy
  // what the task referred to.
  { Task<void> ended = std::move(task); }  // NOLINT(bugprone-use-after-move): awaited, still ours
  hold.release();
}

}  // namespace detail

/// Starts the task at once, here, and lets it run on its own; the gate is held until it is done.
/// Does nothing (the task is destroyed unstarted) when the gate is closed already; false then.
inline bool spawn(Task<void> task, Gate& gate) {
  Gate::Hold hold = gate.enter();
  if (!hold) return false;
  detail::run_detached(std::move(task), std::move(hold));
  return true;
}

}  // namespace chronik::broker
