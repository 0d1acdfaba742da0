#include "broker/runtime/shard.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "broker/runtime/on.h"

namespace chronik::broker {
namespace {

// Runs a callable on the shard and waits for it, from a test's own thread.
template <class F>
void run_on(Shard& shard, F fn) {
  std::promise<void> done;
  shard.post([&] {
    fn();
    done.set_value();
  });
  done.get_future().wait();
}

TEST(ShardTest, MessagesOfOneSenderArriveInOrder) {
  SystemClock clock;
  Shard shard(0, clock);
  std::vector<int> got;
  for (int i = 0; i < 10000; ++i) {
    shard.post([&got, i] { got.push_back(i); });
  }
  run_on(shard, [] {});
  ASSERT_EQ(got.size(), 10000u);
  for (int i = 0; i < 10000; ++i) ASSERT_EQ(got[static_cast<std::size_t>(i)], i);
}

TEST(ShardTest, ManySendersLoseNothing) {
  SystemClock clock;
  Shard shard(0, clock);
  std::uint64_t sum = 0;
  std::vector<std::thread> senders;
  senders.reserve(4);
  for (int t = 0; t < 4; ++t) {
    senders.emplace_back([&] {
      for (int i = 0; i < 20000; ++i) shard.post([&sum] { ++sum; });
    });
  }
  for (std::thread& sender : senders) sender.join();
  run_on(shard, [] {});
  std::uint64_t seen = 0;
  run_on(shard, [&] { seen = sum; });
  EXPECT_EQ(seen, 80000u);
}

Task<void> ping(Shards* shards, int rounds, std::string text, std::uint64_t* total,
                std::promise<void>* done) {
  Shard* home = Shard::current();
  for (int i = 0; i < rounds; ++i) {
    Shard& target = shards->at(static_cast<std::uint32_t>(i) % shards->count());
    auto work = [text, &target] {
      CHECK(target.is_current());
      return text + text;
    };
    auto hop = on(target, std::move(work));
    std::string doubled = co_await hop;
    CHECK(home->is_current());
    *total += doubled.size();
  }
  done->set_value();
}

TEST(ShardTest, AHopRunsThereAndComesBack) {
  SystemClock clock;
  Shards shards(4, clock, 1);
  std::uint64_t totals[4] = {};
  std::promise<void> done[4];
  Gate gates[4];
  for (std::uint32_t i = 0; i < 4; ++i) {
    shards.at(i).post([&, i] {
      spawn(
          ping(&shards, 2000, "a text that does not fit into a small string", &totals[i], &done[i]),
          gates[i]);
    });
  }
  for (auto& d : done) d.get_future().wait();
  for (std::uint32_t i = 0; i < 4; ++i) run_on(shards.at(i), [] {});
  shards.stop();
  for (std::uint64_t total : totals) EXPECT_EQ(total, 2000u * 88);
}

Task<int> slow_answer(Shard* where, std::unique_ptr<int> value) {
  CHECK(where->is_current());
  Task<void> nap = delay(milliseconds(1));
  co_await std::move(nap);
  CHECK(where->is_current());
  co_return *value;
}

Task<void> ask(Shard* there, std::unique_ptr<int> value, int* out, std::promise<void>* done) {
  auto work = [there, &value] { return slow_answer(there, std::move(value)); };
  auto hop = on(*there, work);
  *out = co_await hop;
  done->set_value();
}

TEST(ShardTest, AHopMayGiveATask) {
  SystemClock clock;
  Shards shards(2, clock, 1);
  Gate gate;
  for (std::uint32_t target : {0u, 1u}) {
    int out = 0;
    std::promise<void> done;
    shards.at(0).post(
        [&] { spawn(ask(&shards.at(target), std::make_unique<int>(42), &out, &done), gate); });
    done.get_future().wait();
    run_on(shards.at(0), [] {});
    EXPECT_EQ(out, 42);
  }
  shards.stop();
}

TEST(ShardTest, TimersWakeAnIdleShardInOrder) {
  SystemClock clock;
  Shard shard(0, clock);
  std::vector<int> fired;
  std::promise<void> done;
  std::unique_ptr<Timer> a, b, c;
  const SteadyTime begin = clock.steady_now();
  run_on(shard, [&] {
    a = std::make_unique<Timer>(shard.timers(), [&] {
      fired.push_back(3);
      done.set_value();
    });
    b = std::make_unique<Timer>(shard.timers(), [&] { fired.push_back(1); });
    c = std::make_unique<Timer>(shard.timers(), [&] { fired.push_back(2); });
    a->arm_at(shard.now() + milliseconds(30));
    c->arm_at(shard.now() + milliseconds(20));
  });
  run_on(shard, [&] { b->arm_at(shard.now() + milliseconds(1)); });
  done.get_future().wait();
  EXPECT_GE(clock.steady_now() - begin, milliseconds(30));
  run_on(shard, [&] {
    a.reset();
    b.reset();
    c.reset();
  });
  EXPECT_EQ(fired, (std::vector<int>{1, 2, 3}));
}

class Hook final : public TurnEnd {
 public:
  int calls = 0;

 private:
  void on_turn_end() override { ++calls; }
};

TEST(ShardTest, AManualShardStandsStillUntilItIsStepped) {
  ManualClock clock;
  Shard shard(0, clock, Shard::Mode::manual);
  Hook hook;
  bool fired = false;
  Timer timer(shard.timers(), [&] { fired = true; });
  shard.run([&] {
    shard.at_turn_end(hook);
    shard.at_turn_end(hook);
    timer.arm_at(shard.now() + milliseconds(10));
  });
  EXPECT_EQ(hook.calls, 1);
  bool posted = false;
  shard.post([&] { posted = true; });
  EXPECT_FALSE(posted);
  shard.step();
  EXPECT_TRUE(posted);
  EXPECT_FALSE(fired);
  clock.advance(milliseconds(10));
  shard.step();
  EXPECT_TRUE(fired);
}

TEST(ShardTest, ASlowTurnIsCounted) {
  ManualClock clock;
  Shard shard(0, clock, Shard::Mode::manual);
  shard.run([&] {
    shard.watchdog().note("Fetch");
    clock.advance(milliseconds(101));
  });
  EXPECT_EQ(shard.metrics().slow_turns.value(), 1u);
  shard.run([] {});
  EXPECT_EQ(shard.metrics().slow_turns.value(), 1u);
}

}  // namespace
}  // namespace chronik::broker
