// Shard: one thread, one event loop, and everything that lives on it: connections, partitions,
// timers. What belongs to a shard is touched by its thread only and needs no lock; other threads
// send messages (post, or on() of runtime/on.h).
//
// The thread works in turns. A turn is one event (a readable socket, messages of other threads, due
// timers), then the coroutines it made ready, then what asked to run at the end of the turn (a
// connection writes all its replies at once). now() stands still during a turn.
//
// A manual shard has no thread: the test or simulator that owns it calls run() and step(), with a
// ManualClock. Asio is behind runtime/shard_io.h.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "broker/runtime/inbox.h"
#include "broker/runtime/metrics.h"
#include "broker/runtime/run_queue.h"
#include "broker/runtime/task.h"
#include "broker/runtime/timer.h"
#include "broker/runtime/watchdog.h"

namespace chronik::broker {

class ShardIo;

/// Something to do once at the end of the turn, whatever number of times it was asked for.
class TurnEnd {
 public:
  virtual ~TurnEnd() = default;

 protected:
  virtual void on_turn_end() = 0;

 private:
  friend class Shard;
  bool asked_ = false;
};

class Shard {
 public:
  enum class Mode { thread, manual };

  /// With Mode::thread the thread runs when this returns. `clock` must outlive the shard. `seed` is
  /// for random().
  Shard(std::uint32_t id, const Clock& clock, Mode mode = Mode::thread, std::uint64_t seed = 1);
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;
  ~Shard();

  std::uint32_t id() const { return id_; }
  /// The shard of the calling thread, or null.
  static Shard* current() { return current_; }
  bool is_current() const { return current_ == this; }

  /// Any thread. Messages of one sender arrive in order. Must not be called after stop().
  void post(Posted& message) {
    if (inbox_.push(message)) wake();
  }
  /// As above, for any callable; it is destroyed on this shard.
  template <class F>
  void post(F fn) {
    struct Message : Posted {
      explicit Message(F&& f) : fn(std::move(f)) {}
      F fn;
    };
    auto* message = new Message(std::move(fn));
    message->run = [](Posted& posted) {
      std::unique_ptr<Message> own(static_cast<Message*>(&posted));
      own->fn();
    };
    message->drop = [](Posted& posted) { delete static_cast<Message*>(&posted); };
    post(*static_cast<Posted*>(message));
  }

  /// Ends the loop after the current turn and joins the thread. What is still posted is dropped, so
  /// close the gates first and wait for them. Not from this shard's own thread. Idempotent.
  void stop();

  // From here on: only on the shard's own thread.

  const Clock& clock() const { return clock_; }
  /// Steady time as of the beginning of the turn.
  SteadyTime now() const { return now_; }
  TimerHeap& timers() { return timers_; }
  Random& random() { return random_; }
  RunQueue& run_queue() { return run_queue_; }
  ShardMetrics& metrics() { return metrics_; }
  Watchdog& watchdog() { return watchdog_; }
  /// The event loop, for broker/net; null on a manual shard.
  ShardIo* io() { return io_.get(); }

  /// Calls `hook` once at the end of this turn. The hook must live until then.
  void at_turn_end(TurnEnd& hook);
  /// Takes back what at_turn_end() asked for, for a hook that goes away.
  void forget_turn_end(TurnEnd& hook);

  /// Runs one event as a turn of its own; the only way into the shard, for runtime and net.
  template <class F>
  void turn(F&& fn) {
    begin_turn();
    fn();
    end_turn();
  }

  // Manual shards only.

  /// fn as a turn, then step().
  template <class F>
  void run(F&& fn) {
    turn(std::forward<F>(fn));
    step();
  }
  /// Does all that can be done at the clock's present time: messages, due timers, coroutines.
  void step();

 private:
  void begin_turn();
  void end_turn();
  void settle();
  void wake();
  void drain_inbox();
  void fire_timers();
  void sleep_until_next_timer();
  void thread_main();

  static thread_local constinit Shard* current_;

  const std::uint32_t id_;
  const Clock& clock_;
  Inbox inbox_;
  SteadyTime now_{};
  RunQueue run_queue_;
  TimerHeap timers_;
  Random random_;
  ShardMetrics metrics_;
  Watchdog watchdog_;
  std::vector<TurnEnd*> turn_ends_;
  std::vector<TurnEnd*> running_turn_ends_;
  Shard* before_ = nullptr;  // what current_ was outside of the turn (manual shards nest)
  RunQueue* queue_before_ = nullptr;
  bool in_turn_ = false;
  std::unique_ptr<ShardIo> io_;
  std::thread thread_;
};

/// Waits for at least `duration` on the calling shard.
Task<void> delay(milliseconds duration);

/// All shards of the process, in order of their ids.
class Shards {
 public:
  /// Precondition: count > 0. All shards' generators come from `seed`.
  Shards(std::uint32_t count, const Clock& clock, std::uint64_t seed,
         Shard::Mode mode = Shard::Mode::thread);

  std::uint32_t count() const { return static_cast<std::uint32_t>(shards_.size()); }
  Shard& at(std::uint32_t id) { return *shards_[id]; }
  /// Metadata and group coordinators live here.
  Shard& first() { return *shards_.front(); }
  void stop();

 private:
  std::vector<std::unique_ptr<Shard>> shards_;
};

/// So many as are wanted; 0: max(1, cores / 2), since each shard has a thread of its own for the
/// disk beside it.
std::uint32_t shard_count(int wanted);

}  // namespace chronik::broker
