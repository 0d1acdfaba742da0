#include "broker/runtime/io_thread.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <future>
#include <thread>
#include <vector>

namespace chronik::broker {
namespace {

TEST(IoThreadTest, WorksRunInOrderElsewhereAndComeBackInOrder) {
  SystemClock clock;
  Shard shard(0, clock);
  IoThread io(shard);
  std::vector<int> worked;
  std::vector<int> done;
  std::promise<void> finished;
  std::thread::id shard_thread, io_thread;
  shard.post([&] {
    shard_thread = std::this_thread::get_id();
    for (int i = 0; i < 1000; ++i) {
      io.run(
          [&, i] {
            io_thread = std::this_thread::get_id();
            worked.push_back(i);
          },
          [&, i] {
            EXPECT_TRUE(shard.is_current());
            done.push_back(i);
            if (i == 999) finished.set_value();
          });
    }
    EXPECT_TRUE(done.empty());
  });
  finished.get_future().wait();
  io.stop();
  shard.stop();
  ASSERT_EQ(worked.size(), 1000u);
  EXPECT_EQ(done, worked);
  EXPECT_NE(io_thread, shard_thread);
}

TEST(IoThreadTest, StopRunsWhatWasSubmitted) {
  SystemClock clock;
  Shard shard(0, clock);
  int worked = 0;
  {
    IoThread io(shard);
    std::promise<void> submitted;
    shard.post([&] {
      for (int i = 0; i < 100; ++i) io.run([&] { ++worked; }, [] {});
      submitted.set_value();
    });
    submitted.get_future().wait();
  }
  shard.stop();
  EXPECT_EQ(worked, 100);
}

/// As many steps whatever the process was given: with more between them, long work starves.
TEST(BackgroundThreadTest, LowPriorityIsTenStepsBehindTheShards) {
  constexpr int lowest = 19;
  SystemClock clock;
  Shard shard(0, clock);
  BackgroundThread low("low", BackgroundThread::Priority::low);
  std::promise<int> of_shard, of_work;
  shard.post([&] {
    // As a whole process that was started with nice.
    ASSERT_EQ(::setpriority(PRIO_PROCESS, 0, ::getpriority(PRIO_PROCESS, 0) + 3), 0);
    of_shard.set_value(::getpriority(PRIO_PROCESS, 0));
    low.run(
        shard, [&] { of_work.set_value(::getpriority(PRIO_PROCESS, 0)); }, [] {});
  });
  EXPECT_EQ(of_work.get_future().get(), std::min(of_shard.get_future().get() + 10, lowest));
  low.stop();
  shard.stop();
}

}  // namespace
}  // namespace chronik::broker
