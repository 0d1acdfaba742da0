// call_on: runs something on a shard and waits for it, from a thread that is no shard: the main
// thread at start and stop, and tests.
#pragma once

#include <future>
#include <type_traits>
#include <utility>

#include "base/check.h"
#include "broker/runtime/shard.h"

namespace chronik::broker {

namespace detail {

inline Detached fulfil(Task<void> task, std::promise<void>* done) {
  {
    Task<void> running = std::move(task);
    co_await std::move(running);
  }
  done->set_value();
}

}  // namespace detail

/// fn gives nothing, a value, or a Task<void> that is then waited for as well.
template <class F>
auto call_on(Shard& shard, F fn) {
  using Returned = std::invoke_result_t<F&>;
  CHECK(Shard::current() == nullptr);
  if constexpr (std::is_same_v<Returned, Task<void>>) {
    std::promise<void> done;
    shard.post([&fn, &done] { detail::fulfil(fn(), &done); });
    done.get_future().wait();
  } else if constexpr (std::is_void_v<Returned>) {
    std::promise<void> done;
    shard.post([&fn, &done] {
      fn();
      done.set_value();
    });
    done.get_future().wait();
  } else {
    std::promise<Returned> done;
    shard.post([&fn, &done] { done.set_value(fn()); });
    return done.get_future().get();
  }
}

}  // namespace chronik::broker
