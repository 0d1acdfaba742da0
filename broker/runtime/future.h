// Promise<T> and Future<T>: a value that comes later, once, on one shard. The coroutine that awaits
// the Future is not resumed inside set() but put into the shard's RunQueue, so the one who
// completes may be in the middle of its own work. Both ends stay on one shard (not thread safe);
// across shards use on() (runtime/on.h) or Shard::post.
//
// A Promise that is destroyed unset while somebody awaits its Future is a bug and ends the process:
// who takes a Promise answers it, at shutdown too.
#pragma once

#include <coroutine>
#include <optional>
#include <utility>

#include "base/check.h"
#include "broker/runtime/run_queue.h"

namespace chronik::broker {

template <class T>
class Future;

/// What a Promise<void> carries.
struct Unit {};

namespace detail {

template <class T>
struct FutureState {
  using Value = std::conditional_t<std::is_void_v<T>, Unit, T>;

  std::optional<Value> value;
  std::coroutine_handle<> waiter;
  RunQueue* queue = nullptr;  // of the shard that made the promise; checked at set()
  int holders = 1;

  void release() {
    if (--holders == 0) delete this;
  }
};

}  // namespace detail

template <class T = void>
class Promise {
  using State = detail::FutureState<T>;

 public:
  /// Must be made on the shard that will set it.
  Promise() : state_(new State) { state_->queue = RunQueue::current(); }
  Promise(Promise&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  Promise& operator=(Promise&& other) noexcept {
    if (this != &other) {
      drop();
      state_ = std::exchange(other.state_, nullptr);
    }
    return *this;
  }
  ~Promise() { drop(); }

  /// The other end; once.
  Future<T> future();

  bool is_set() const { return state_->value.has_value(); }
  /// Whether the Future still exists: nobody waits for the value otherwise.
  bool is_awaited() const { return state_->holders == 2; }

  /// Precondition: not set yet.
  template <class U = Unit>
  void set(U&& value = U{}) {
    CHECK(try_set(std::forward<U>(value)));
  }
  /// False, without effect, when it is set already: for several events that race for one waiter.
  template <class U = Unit>
  bool try_set(U&& value = U{}) {
    if (state_->value.has_value()) return false;
    state_->value.emplace(std::forward<U>(value));
    if (state_->waiter) {
      CHECK(state_->queue != nullptr && state_->queue == RunQueue::current());
      state_->queue->push(std::exchange(state_->waiter, nullptr));
    }
    return true;
  }

 private:
  void drop() {
    if (state_ == nullptr) return;
    CHECK(!state_->waiter);
    state_->release();
  }

  State* state_;
};

template <class T = void>
class [[nodiscard]] Future {
  using State = detail::FutureState<T>;

 public:
  Future(Future&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  Future& operator=(Future&& other) noexcept {
    if (this != &other) {
      drop();
      state_ = std::exchange(other.state_, nullptr);
    }
    return *this;
  }
  ~Future() { drop(); }

  bool ready() const { return state_->value.has_value(); }

  /// `co_await future` once, by one coroutine, on the shard of the Promise.
  bool await_ready() const noexcept { return ready(); }
  void await_suspend(std::coroutine_handle<> waiter) noexcept {
    CHECK(!state_->waiter);
    state_->waiter = waiter;
  }
  T await_resume() {
    if constexpr (!std::is_void_v<T>) return std::move(*state_->value);
  }

 private:
  friend class Promise<T>;
  explicit Future(State* state) : state_(state) {}

  void drop() {
    if (state_ == nullptr) return;
    state_->waiter = nullptr;
    state_->release();
  }

  State* state_;
};

template <class T>
Future<T> Promise<T>::future() {
  CHECK(state_->holders == 1);
  state_->holders = 2;
  return Future<T>(state_);
}

}  // namespace chronik::broker
