// BackgroundThread: one thread for work that may block. It serves any shard: works run one at a
// time in the order of submission, and each one's `done` comes back to the shard that sent it as a
// message, a burst of them with one wake-up. It is there from the first work on; an idle thread
// sleeps.
//
// Of low priority it is for long work that nobody waits for (compaction): keep works short (a slice
// of a job) and send the next one from `done`, so shards take turns, and what is no longer wanted
// is not begun. Of normal priority it is the disk thread of a shard (io_thread.h).
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
  enum class Priority { normal, low };

  BackgroundThread(std::string name, Priority priority);
  BackgroundThread(const BackgroundThread&) = delete;
  BackgroundThread& operator=(const BackgroundThread&) = delete;
  /// As stop().
  ~BackgroundThread();

  /// On `home`, which must outlive the thread; it drops the `done`s that it never took.
  void run(Shard& home, Work work, Work done);
  /// Runs what was submitted, then ends the thread; the last `done`s are on their way when it
  /// returns. Not from a shard. Idempotent.
  void stop();

 private:
  struct Job : Posted {
    Shard* home = nullptr;
    Work work;
    Work done;
  };

  void thread_main();

  const std::string name_;
  const Priority priority_;
  std::mutex mutex_;
  std::condition_variable submitted_;
  std::deque<std::unique_ptr<Job>> jobs_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace chronik::broker
