// IoExecutor: where the log's blocking disk work runs. The broker's implementation is a thread
// beside each shard (broker/runtime); tests and the simulator step the ones below.
//
// Contract: works run one at a time, in the order of submission; `done` runs on the submitting
// shard after its work, in the same order, never inside run(). Both are called exactly once, except
// that after a fatal disk error (LogEnvironment::on_fatal) nothing more needs to run.
#pragma once

#include <deque>
#include <functional>
#include <utility>

namespace chronik::wal {

class IoExecutor {
 public:
  using Work = std::function<void()>;

  virtual ~IoExecutor() = default;
  virtual void run(Work work, Work done) = 0;
};

/// Holds works until they are stepped; everything on the caller's thread. For tests, tools and the
/// simulator.
class ManualIoExecutor final : public IoExecutor {
 public:
  void run(Work work, Work done) override { queue_.emplace_back(std::move(work), std::move(done)); }

  bool idle() const { return queue_.empty(); }
  /// Runs the oldest work and its done; false when there was none.
  bool step() {
    if (queue_.empty()) return false;
    auto [work, done] = std::move(queue_.front());
    queue_.pop_front();
    work();
    done();
    return true;
  }
  void run_all() {
    while (step()) {
    }
  }
  /// Drops what has not run, as a crash does.
  void abandon() { queue_.clear(); }

 private:
  std::deque<std::pair<Work, Work>> queue_;
};

}  // namespace chronik::wal
