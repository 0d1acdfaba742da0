// BackgroundThread: one thread of low priority for long work that nobody waits for (compaction). It
// serves all shards: works run one at a time in the order of submission, and each one's `done`
// comes back to the shard that sent it. An idle thread sleeps.
//
// Keep works short (a slice of a job) and send the next one from `done`: so shards take turns, and
// what is no longer wanted is not begun.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "broker/runtime/shard.h"

namespace chronik::broker {

class BackgroundThread {
 public:
  using Work = std::function<void()>;

  explicit BackgroundThread(std::string name);
  BackgroundThread(const BackgroundThread&) = delete;
  BackgroundThread& operator=(const BackgroundThread&) = delete;
  /// As stop().
  ~BackgroundThread();

  /// On `home`. The shard must outlive the thread.
  void run(Shard& home, Work work, Work done);
  /// Runs what was submitted, then ends the thread. Not from a shard. Idempotent.
  void stop();

 private:
  struct Job : Posted {
    Shard* home = nullptr;
    Work work;
    Work done;
  };

  void thread_main();

  const std::string name_;
  std::mutex mutex_;
  std::condition_variable submitted_;
  std::deque<std::unique_ptr<Job>> jobs_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace chronik::broker
