// RecentBudget: memory for the last entries of the logs of a shard (raft/multi/log_store.h), in
// even shares: as many logs as are written, so much less does each keep. One that is over its share
// drops entries with its next append, so that what is held may exceed the budget for as long.
// Owned by a RaftReplicaManager, on its shard.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/check.h"

namespace chronik::raft {

class RecentBudget {
 public:
  explicit RecentBudget(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}
  RecentBudget(const RecentBudget&) = delete;
  RecentBudget& operator=(const RecentBudget&) = delete;

  /// A log that kept nothing keeps something, and the other way round.
  void enter() { ++logs_; }
  void leave() {
    CHECK(logs_ > 0);
    --logs_;
  }
  void add(std::uint64_t bytes) { bytes_ += bytes; }
  void drop(std::uint64_t bytes) {
    CHECK(bytes <= bytes_);
    bytes_ -= bytes;
  }

  /// Of one log that keeps something.
  std::uint64_t share() const { return bytes_max_ / (logs_ == 0 ? 1 : logs_); }
  bool is_exceeded() const { return bytes_ > bytes_max_; }
  /// Held by all logs together.
  std::uint64_t bytes() const { return bytes_; }

 private:
  const std::uint64_t bytes_max_;
  std::uint64_t bytes_ = 0;
  std::size_t logs_ = 0;
};

}  // namespace chronik::raft
