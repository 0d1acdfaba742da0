#include "broker/runtime/background_thread.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <utility>

#include "base/check.h"

namespace chronik::broker {

namespace {

/// Behind the shards where the processor and the disk are short. Fine when the system refuses.
void lower_priority() {
  constexpr int steps_behind = 10;
  const auto thread = static_cast<id_t>(::syscall(SYS_gettid));
  // From where the shards are: they may have been given another one than 0. -1 is one, too.
  ::setpriority(PRIO_PROCESS, thread, ::getpriority(PRIO_PROCESS, thread) + steps_behind);
  // The lowest level of the best-effort class; its constants are in no header of libc.
  constexpr int who_thread = 1;
  constexpr int best_effort_lowest = (2 << 13) | 7;
  ::syscall(SYS_ioprio_set, who_thread, 0, best_effort_lowest);
}

}  // namespace

BackgroundThread::BackgroundThread(std::string name, Priority priority)
    : name_(std::move(name)), priority_(priority) {}

BackgroundThread::~BackgroundThread() { stop(); }

void BackgroundThread::run(Shard& home, Work work, Work done) {
  auto job = std::make_unique<Job>();
  job->home = &home;
  job->work = std::move(work);
  job->done = std::move(done);
  {
    std::lock_guard lock(mutex_);
    CHECK(!stopping_);
    jobs_.push_back(std::move(job));
    if (!thread_.joinable()) thread_ = std::thread([this] { thread_main(); });
  }
  submitted_.notify_one();
}

void BackgroundThread::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    if (!thread_.joinable()) return;
  }
  submitted_.notify_one();
  thread_.join();
}

void BackgroundThread::thread_main() {
  pthread_setname_np(pthread_self(), name_.c_str());
  if (priority_ == Priority::low) lower_priority();
  std::unique_lock lock(mutex_);
  for (;;) {
    submitted_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    std::unique_ptr<Job> job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job->work();
    // Whatever the work held (buffers, files) goes here, not on the shard.
    job->work = nullptr;
    job->run = [](Posted& posted) {
      std::unique_ptr<Job> own(static_cast<Job*>(&posted));
      own->done();
    };
    job->drop = [](Posted& posted) { delete static_cast<Job*>(&posted); };
    Shard& home = *job->home;
    home.post(static_cast<Posted&>(*job.release()));
    lock.lock();
  }
}

}  // namespace chronik::broker
