// SimulatedIo: the disk thread of a simulated node: works take their time, one at a time and in
// order, and the shard hears of a work later still, so that a crash finds every state in between.
// Owned by its Node; time is handed in.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "wal/io_executor.h"

namespace chronik::sim {

class SimulatedIo final : public wal::IoExecutor {
 public:
  using Delay = std::function<milliseconds()>;
  /// `work` is how long the next work takes, `lag` how much later the shard hears of it.
  SimulatedIo(std::function<SteadyTime()> now, Delay work, Delay lag)
      : now_(std::move(now)), work_delay_(std::move(work)), lag_(std::move(lag)) {}

  void run(Work work, Work done) override {
    if (works_.empty()) due_ = now_() + work_delay_();
    works_.emplace_back(std::move(work), std::move(done));
  }

  /// When there is something to do; nothing: it is idle.
  std::optional<SteadyTime> next() const {
    std::optional<SteadyTime> next;
    if (!works_.empty()) next = due_;
    if (!finished_.empty() && (!next || finished_.front().first < *next)) {
      next = finished_.front().first;
    }
    return next;
  }
  /// The next thing that is due: what follows a work, or a work. False: nothing was.
  bool step() {
    const SteadyTime now = now_();
    if (!finished_.empty() && finished_.front().first <= now) {
      const Work done = std::move(finished_.front().second);
      finished_.pop_front();
      done();
      return true;
    }
    if (works_.empty() || due_ > now) return false;
    auto [work, done] = std::move(works_.front());
    works_.pop_front();
    work();
    const SteadyTime earliest = finished_.empty() ? now : finished_.back().first;
    finished_.emplace_back(std::max(earliest, now + lag_()), std::move(done));
    if (!works_.empty()) due_ = now + work_delay_();
    return true;
  }
  /// What has not run is dropped, as a crash does.
  void abandon() {
    works_.clear();
    finished_.clear();
  }

 private:
  const std::function<SteadyTime()> now_;
  const Delay work_delay_;
  const Delay lag_;
  std::deque<std::pair<Work, Work>> works_;
  std::deque<std::pair<SteadyTime, Work>> finished_;  // the shard has not heard of them
  SteadyTime due_{};                                  // the first work is done
};

}  // namespace chronik::sim
