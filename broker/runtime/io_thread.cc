#include "broker/runtime/io_thread.h"

#include <pthread.h>

#include <string>

#include "base/check.h"

namespace chronik::broker {

IoThread::IoThread(Shard& shard) : shard_(shard), thread_([this] { thread_main(); }) {}

IoThread::~IoThread() { stop(); }

void IoThread::run(Work work, Work done) {
  auto job = std::make_unique<Job>();
  job->work = std::move(work);
  job->done = std::move(done);
  {
    std::lock_guard lock(mutex_);
    CHECK(!stopping_);
    jobs_.push_back(std::move(job));
  }
  submitted_.notify_one();
}

void IoThread::stop() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  submitted_.notify_one();
  thread_.join();
}

void IoThread::thread_main() {
  const std::string name = "disk-" + std::to_string(shard_.id());
  pthread_setname_np(pthread_self(), name.c_str());
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
    shard_.post(static_cast<Posted&>(*job.release()));
    lock.lock();
  }
}

}  // namespace chronik::broker
