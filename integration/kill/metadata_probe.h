// MetadataProbe: changes one setting of one topic through one node, one change after the other, and
// keeps when each was acknowledged: so it tells how long the metadata took no change. The values
// rise, so what the topic has at the end must be what was acknowledged last or what was tried
// since.
//
// A thread of its own; the other calls may come from any thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "integration/harness/raw_connection.h"

namespace chronik::integration {

class MetadataProbe {
 public:
  using Clock = std::chrono::steady_clock;
  using Duration = std::chrono::microseconds;

  /// The topic must exist; it belongs to this probe alone.
  MetadataProbe(std::string host, int port, std::string topic);
  ~MetadataProbe();

  /// Waits until a change that was begun at `since` or later is acknowledged.
  bool wait_for_change(Clock::time_point since, std::chrono::milliseconds limit);
  /// The longest time within [from, to] in which no change was acknowledged. It counts from the
  /// last one before `from`. Forgets what came before `from`.
  Duration longest_gap(Clock::time_point from, Clock::time_point to);

  static constexpr const char* setting = "retention.ms";
  const std::string& topic() const { return topic_; }
  struct Ledger {
    std::int64_t acknowledged = 0;
    std::int64_t attempted = 0;
    std::int64_t count = 0;  // of those acknowledged
  };
  Ledger ledger() const;
  /// Those that took longer than a second since the last call, and how they ended; empty: none did.
  std::string take_slow();

 private:
  void run(const std::stop_token& stop);
  /// Nothing: acknowledged. Else why not, as far as that was said.
  std::optional<std::string> change(RawConnection& connection, std::int64_t value) const;

  const std::string host_;
  const int port_;
  const std::string topic_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  Ledger ledger_;
  Clock::time_point last_begun_;  // of those acknowledged
  std::vector<Clock::time_point> acknowledged_;
  std::string slow_;
  std::jthread thread_;
};

}  // namespace chronik::integration
