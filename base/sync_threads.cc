#include "base/sync_threads.h"

#include <pthread.h>

#include <algorithm>
#include <optional>
#include <string>

namespace chronik {

struct SyncThreads::Batch {
  const std::function<Result<void>(std::size_t)>& call;
  const std::size_t count;
  std::size_t begun;
  std::size_t finished;
  std::optional<Error> error = std::nullopt;
};

SyncThreads::~SyncThreads() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wanted_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

Result<void> SyncThreads::run(std::size_t count,
                              const std::function<Result<void>(std::size_t)>& call) {
  for (std::size_t number = 0; number < count; ++number) {
    const auto begin = std::chrono::steady_clock::now();
    TRY(call(number));
    const std::size_t left = count - number - 1;
    if (left > 1 && std::chrono::steady_clock::now() - begin > patience_) {
      return share(number + 1, count, call);
    }
  }
  return {};
}

Result<void> SyncThreads::share(std::size_t first, std::size_t count,
                                const std::function<Result<void>(std::size_t)>& call) {
  std::unique_lock lock(mutex_);
  if (threads_.empty()) start();
  Batch batch{call, count, first, first};
  batches_.push_back(&batch);
  const std::size_t helpers = std::min(count - first - 1, threads_.size());
  for (std::size_t i = 0; i < helpers; ++i) wanted_.notify_one();
  while (batch.begun < count) step(batch, lock);
  finished_.wait(lock, [&] { return batch.finished == count; });
  if (batch.error.has_value()) return *batch.error;
  return {};
}

void SyncThreads::start() {
  for (std::size_t i = 0; i < count_; ++i) threads_.emplace_back([this, i] { thread_main(i); });
}

void SyncThreads::thread_main(std::size_t number) {
  const std::string name = "sync-" + std::to_string(number);
  pthread_setname_np(pthread_self(), name.c_str());
  std::unique_lock lock(mutex_);
  for (;;) {
    wanted_.wait(lock, [this] { return stopping_ || !batches_.empty(); });
    if (stopping_) return;
    step(*batches_.front(), lock);
  }
}

/// One call of the batch, without the lock. The batch may be gone afterwards, unless it is the
/// caller's own.
void SyncThreads::step(Batch& batch, std::unique_lock<std::mutex>& lock) {
  const std::size_t number = batch.begun++;
  if (batch.begun == batch.count) std::erase(batches_, &batch);
  lock.unlock();
  Result<void> result = batch.call(number);
  lock.lock();
  if (!result && (!batch.error.has_value() || batch.error->code == Errc::busy)) {
    batch.error = result.error();
  }
  if (++batch.finished == batch.count) finished_.notify_all();
}

}  // namespace chronik
