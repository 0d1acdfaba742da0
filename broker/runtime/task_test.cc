#include "broker/runtime/task.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "broker/runtime/budget.h"
#include "broker/runtime/gate.h"
#include "broker/runtime/run_queue.h"

namespace chronik::broker {
namespace {

class TaskTest : public testing::Test {
 protected:
  TaskTest() : before_(RunQueue::set_current(&queue_)) {}
  ~TaskTest() override { RunQueue::set_current(before_); }

  RunQueue queue_;
  RunQueue* before_;
  Gate gate_;
};

Task<int> plus_one(int x) { co_return x + 1; }

Task<void> add_up(int rounds, std::int64_t* total) {
  for (int i = 0; i < rounds; ++i) {
    Task<int> task = plus_one(i);
    *total += co_await std::move(task);
  }
}

TEST_F(TaskTest, AMillionReadyTasksDoNotGrowTheStack) {
  std::int64_t total = 0;
  Task<void> task = add_up(1'000'000, &total);
  ASSERT_TRUE(spawn(std::move(task), gate_));
  EXPECT_EQ(total, 1'000'000LL * 1'000'001 / 2);
  EXPECT_EQ(gate_.held(), 0u);
}

Task<void> nothing(bool* started) {
  *started = true;
  co_return;
}

TEST_F(TaskTest, ATaskIsLazy) {
  bool started = false;
  { Task<void> task = nothing(&started); }
  EXPECT_FALSE(started);
}

Task<std::string> wait_for(Future<std::string> future, std::string suffix) {
  std::string value = co_await future;
  co_return value + suffix;
}

Task<void> store(Future<std::string> future, std::unique_ptr<std::string> suffix,
                 std::vector<std::string>* out) {
  Task<std::string> task = wait_for(std::move(future), *suffix);
  std::string value = co_await std::move(task);
  out->push_back(std::move(value));
}

TEST_F(TaskTest, AWaiterIsResumedByTheQueueAndNotInsideSet) {
  Promise<std::string> promise;
  std::vector<std::string> out;
  ASSERT_TRUE(spawn(store(promise.future(), std::make_unique<std::string>("!"), &out), gate_));
  EXPECT_EQ(gate_.held(), 1u);
  promise.set(std::string("a value that is longer than a small string"));
  EXPECT_TRUE(out.empty());
  queue_.drain();
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0], "a value that is longer than a small string!");
  EXPECT_EQ(gate_.held(), 0u);
}

TEST_F(TaskTest, OnlyTheFirstOfSeveralEventsWins) {
  Promise<int> promise;
  Future<int> future = promise.future();
  EXPECT_TRUE(promise.try_set(1));
  EXPECT_FALSE(promise.try_set(2));
  EXPECT_TRUE(future.ready());
  EXPECT_EQ(future.await_resume(), 1);
}

TEST_F(TaskTest, APromiseKnowsWhenNobodyWaits) {
  Promise<int> promise;
  { Future<int> future = promise.future(); }
  EXPECT_FALSE(promise.is_awaited());
}

Task<void> wait_until(Future<void> future, bool* done) {
  co_await future;
  *done = true;
}

TEST_F(TaskTest, AClosedGateLetsNobodyInAndWaitsForThoseInside) {
  Promise<void> work;
  bool worked = false;
  ASSERT_TRUE(spawn(wait_until(work.future(), &worked), gate_));

  Gate outer;
  bool closed = false;
  spawn(wait_until(gate_.close(), &closed), outer);
  bool started = false;
  EXPECT_FALSE(spawn(nothing(&started), gate_));
  EXPECT_FALSE(started);
  queue_.drain();
  EXPECT_FALSE(closed);

  work.set();
  queue_.drain();
  EXPECT_TRUE(worked);
  EXPECT_TRUE(closed);
}

class Line final : public Budget::Waiter {
 public:
  Budget::Units units;
  int granted = 0;

 private:
  void on_granted(Budget::Units got) override {
    units = std::move(got);
    ++granted;
  }
};

TEST(BudgetTest, NobodyOvertakesTheLine) {
  Budget budget(100);
  Budget::Units a = budget.try_take(80);
  ASSERT_TRUE(a);
  Line big;
  budget.wait(50, big);
  EXPECT_FALSE(budget.try_take(10));
  a.release();
  EXPECT_EQ(big.granted, 1);
  EXPECT_EQ(budget.available(), 50);
  EXPECT_TRUE(budget.try_take(10));
  big.units.release();
}

TEST(BudgetTest, MoreThanTheCapacityIsGrantedAlone) {
  Budget budget(100);
  Budget::Units small = budget.try_take(1);
  Line huge;
  budget.wait(1000, huge);
  EXPECT_EQ(huge.granted, 0);
  small.release();
  EXPECT_EQ(huge.granted, 1);
  EXPECT_EQ(budget.available(), -900);
  EXPECT_FALSE(budget.try_take(1));
  huge.units.release();
  EXPECT_EQ(budget.available(), 100);
}

TEST(BudgetTest, OneWhoLeavesTheLineLetsTheNextThrough) {
  Budget budget(100);
  Budget::Units held = budget.try_take(60);
  Line next;
  {
    Line first;
    budget.wait(90, first);
    budget.wait(40, next);
    EXPECT_EQ(next.granted, 0);
  }
  EXPECT_EQ(next.granted, 1);
  next.units.release();
}

TEST(BudgetTest, AReleaseServesTheWholeLine) {
  Budget budget(100);
  Budget::Units held = budget.try_take(100);
  Line line[10];
  for (Line& waiter : line) budget.wait(10, waiter);
  held.release();
  for (Line& waiter : line) EXPECT_EQ(waiter.granted, 1);
  for (Line& waiter : line) waiter.units.release();
  EXPECT_EQ(budget.available(), 100);
}

}  // namespace
}  // namespace chronik::broker
