#include "broker/runtime/shard.h"

#include <pthread.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <string>

#include "base/check.h"
#include "broker/runtime/shard_io.h"

namespace chronik::broker {

thread_local constinit Shard* Shard::current_ = nullptr;

Shard::Shard(std::uint32_t id, const Clock& clock, Mode mode, std::uint64_t seed)
    : id_(id), clock_(clock), now_(clock.steady_now()), random_(seed) {
  if (mode == Mode::thread) {
    io_ = std::make_unique<ShardIo>();
    thread_ = std::thread([this] { thread_main(); });
  }
}

Shard::~Shard() {
  stop();
  for (Posted* message = inbox_.take_all(); message != nullptr;) {
    Posted* next = message->next;
    if (message->drop != nullptr) message->drop(*message);
    message = next;
  }
}

void Shard::stop() {
  if (!thread_.joinable()) return;
  CHECK(!is_current());
  boost::asio::post(io_->context.get_executor(), [this] { io_->context.stop(); });
  thread_.join();
}

void Shard::thread_main() {
  const std::string name = "shard-" + std::to_string(id_);
  pthread_setname_np(pthread_self(), name.c_str());
  io_->context.run();
}

void Shard::begin_turn() {
  CHECK(!in_turn_);
  in_turn_ = true;
  before_ = std::exchange(current_, this);
  queue_before_ = RunQueue::set_current(&run_queue_);
  now_ = clock_.steady_now();
}

void Shard::end_turn() {
  settle();
  if (io_) sleep_until_next_timer();
  const SteadyTime end = clock_.steady_now();
  if (watchdog_.turn_ended(id_, now_, end)) metrics_.slow_turns.add();
  RunQueue::set_current(queue_before_);
  current_ = before_;
  in_turn_ = false;
}

void Shard::settle() {
  do {
    run_queue_.drain();
    running_turn_ends_.swap(turn_ends_);
    for (TurnEnd* hook : running_turn_ends_) {
      if (hook == nullptr) continue;
      hook->asked_ = false;
      hook->on_turn_end();
    }
    running_turn_ends_.clear();
  } while (!run_queue_.empty() || !turn_ends_.empty());
}

void Shard::at_turn_end(TurnEnd& hook) {
  if (hook.asked_) return;
  hook.asked_ = true;
  turn_ends_.push_back(&hook);
}

void Shard::forget_turn_end(TurnEnd& hook) {
  hook.asked_ = false;
  std::erase(turn_ends_, &hook);
  std::replace(running_turn_ends_.begin(), running_turn_ends_.end(), &hook,
               static_cast<TurnEnd*>(nullptr));
}

void Shard::wake() {
  if (!io_) return;
  boost::asio::post(io_->context.get_executor(), [this] { turn([this] { drain_inbox(); }); });
}

void Shard::drain_inbox() {
  Posted* message = inbox_.take_all();
  while (message != nullptr) {
    Posted* next = message->next;
    message->run(*message);
    message = next;
  }
}

void Shard::fire_timers() { timers_.fire_due(now_); }

void Shard::sleep_until_next_timer() {
  // A timer that was cancelled leaves the sleep as it is: one wake-up too many at most, instead of
  // a system call for every cancelled timer.
  const auto deadline = timers_.next_deadline();
  if (!deadline || *deadline >= io_->sleeping_until) return;
  io_->sleeping_until = *deadline;
  io_->timer.expires_at(*deadline);
  io_->timer.async_wait([this](const boost::system::error_code& error) {
    if (error) return;  // replaced by an earlier one
    io_->sleeping_until = SteadyTime::max();
    turn([this] { fire_timers(); });
  });
}

void Shard::step() {
  CHECK(!io_);
  for (;;) {
    const SteadyTime time = clock_.steady_now();
    const auto deadline = timers_.next_deadline();
    const bool timers_due = deadline && *deadline <= time;
    if (inbox_.empty() && !timers_due) return;
    turn([this] {
      drain_inbox();
      fire_timers();
    });
  }
}

namespace {

class Alarm {
 public:
  explicit Alarm(TimerHeap& timers) : timer_(timers, [this] { rung_.set(); }) {}
  Future<void> at(SteadyTime deadline) {
    timer_.arm_at(deadline);
    return rung_.future();
  }

 private:
  Promise<void> rung_;
  Timer timer_;
};

}  // namespace

Task<void> delay(milliseconds duration) {
  Shard* shard = Shard::current();
  CHECK(shard != nullptr);
  Alarm alarm(shard->timers());
  Future<void> rung = alarm.at(shard->now() + duration);
  co_await rung;
}

Shards::Shards(std::uint32_t count, const Clock& clock, std::uint64_t seed, Shard::Mode mode) {
  CHECK(count > 0);
  Random seeds(seed);
  for (std::uint32_t id = 0; id < count; ++id) {
    shards_.push_back(std::make_unique<Shard>(id, clock, mode, seeds.next()));
  }
}

void Shards::stop() {
  for (auto& shard : shards_) shard->stop();
}

std::uint32_t shard_count(int wanted) {
  if (wanted > 0) return static_cast<std::uint32_t>(wanted);
  return std::max(1u, std::thread::hardware_concurrency() / 2);
}

}  // namespace chronik::broker
