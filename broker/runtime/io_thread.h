// IoThread: the thread beside a shard on which its log's writes and syncs run (wal::IoExecutor).
// Works run one at a time in the order of submission; each work's `done` comes back to the shard as
// a message, a burst of them with one wake-up. An idle thread sleeps.
//
// run() is called on the shard only. Destroy it before its shard; the destructor runs what was
// submitted and drops the `done`s that the shard has not taken.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

#include "broker/runtime/shard.h"
#include "wal/io_executor.h"

namespace chronik::broker {

class IoThread final : public wal::IoExecutor {
 public:
  explicit IoThread(Shard& shard);
  IoThread(const IoThread&) = delete;
  IoThread& operator=(const IoThread&) = delete;
  ~IoThread() override;

  void run(Work work, Work done) override;

  /// Runs what was submitted, then ends the thread; the last `done`s are on their way to the shard
  /// when it returns. Not from the shard's own thread. Idempotent.
  void stop();

 private:
  struct Job : Posted {
    Work work;
    Work done;
  };

  void thread_main();

  Shard& shard_;
  std::mutex mutex_;
  std::condition_variable submitted_;
  std::deque<std::unique_ptr<Job>> jobs_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace chronik::broker
