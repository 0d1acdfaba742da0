// SyncThreads: a few threads that help with syncs where these are slow: the file system puts those
// that wait at the same time into one commit. Where a sync takes no longer than waking a thread is
// worth, the caller goes on alone. The threads are made when they are first needed and sleep
// between calls. Thread safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "base/result.h"

namespace chronik {

class SyncThreads {
 public:
  /// `patience`: a call that takes longer is slow; then the others share the rest.
  SyncThreads(std::size_t count, std::chrono::microseconds patience)
      : count_(count), patience_(patience) {}
  ~SyncThreads();
  SyncThreads(const SyncThreads&) = delete;
  SyncThreads& operator=(const SyncThreads&) = delete;

  /// call(0) to call(count - 1), on the caller's thread and perhaps the others; returns when all
  /// that were begun have returned. After an error that the caller meets alone the rest is not
  /// called. The error of one of them; Errc::busy only when no other error happened.
  Result<void> run(std::size_t count, const std::function<Result<void>(std::size_t)>& call);

 private:
  struct Batch;

  Result<void> share(std::size_t first, std::size_t count,
                     const std::function<Result<void>(std::size_t)>& call);
  void start();
  void thread_main(std::size_t number);
  void step(Batch& batch, std::unique_lock<std::mutex>& lock);

  const std::size_t count_;
  const std::chrono::microseconds patience_;
  std::mutex mutex_;
  std::condition_variable wanted_;
  std::condition_variable finished_;
  std::deque<Batch*> batches_;  // with calls that nobody has begun
  std::vector<std::thread> threads_;
  bool stopping_ = false;
};

}  // namespace chronik
