// Gate: counts what still runs, and lets its owner wait for the end of it. Every detached coroutine
// holds the gate of the thing it works for; who stops closes the gate and waits. One shard.
#pragma once

#include <cstddef>
#include <optional>
#include <utility>

#include "base/check.h"
#include "broker/runtime/future.h"

namespace chronik::broker {

class Gate {
 public:
  /// A place inside; left by the destructor or release(). False when the gate was closed.
  class [[nodiscard]] Hold {
   public:
    Hold() = default;
    Hold(Hold&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}
    Hold& operator=(Hold&& other) noexcept {
      if (this != &other) {
        release();
        gate_ = std::exchange(other.gate_, nullptr);
      }
      return *this;
    }
    ~Hold() { release(); }

    explicit operator bool() const { return gate_ != nullptr; }
    void release() {
      if (gate_ != nullptr) std::exchange(gate_, nullptr)->leave();
    }

   private:
    friend class Gate;
    explicit Hold(Gate& gate) : gate_(&gate) {}
    Gate* gate_ = nullptr;
  };

  Gate() = default;
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  ~Gate() { CHECK(held_ == 0); }

  Hold enter() {
    if (closed_) return Hold();
    ++held_;
    return Hold(*this);
  }

  bool closed() const { return closed_; }
  std::size_t held() const { return held_; }

  /// Lets nobody in from now on; the future is set when the last one left. Once.
  Future<void> close() {
    CHECK(!closed_);
    closed_ = true;
    Promise<void> empty;
    Future<void> future = empty.future();
    if (held_ == 0) {
      empty.set();
    } else {
      empty_ = std::move(empty);
    }
    return future;
  }

 private:
  void leave() {
    CHECK(held_ > 0);
    if (--held_ == 0 && empty_) {
      empty_->set();
      empty_.reset();
    }
  }

  std::size_t held_ = 0;
  bool closed_ = false;
  std::optional<Promise<void>> empty_;
};

}  // namespace chronik::broker
