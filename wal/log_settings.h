// What a partition log is told from outside: whose log it is, and the topic settings that apply to
// it (Kafka's names and defaults). Settings are shared by all logs of a topic and may be replaced
// at run time.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/types.h"
#include "base/uuid.h"

namespace chronik::wal {

struct LogIdentity {
  std::string topic;
  PartitionId partition = 0;
  Uuid topic_id;

  bool operator==(const LogIdentity&) const = default;
};

enum class FlushMode : std::uint8_t {
  /// durable_end_offset() moves after fdatasync: acknowledged means on disk. The default.
  sync_before_ack,
  /// flush.messages is "never": durable_end_offset() moves after the write to the page cache, as
  /// Kafka does by default. A power cut may lose acknowledged records.
  page_cache,
};

struct LogSettings {
  std::uint64_t segment_bytes = 1'073'741'824;  // segment.bytes
  milliseconds segment_ms{604'800'000};         // segment.ms, by record time
  milliseconds segment_jitter_ms{0};            // subtracted from segment_ms; drawn by the caller
  std::uint32_t segment_index_bytes = 10'485'760;  // segment.index.bytes
  std::uint32_t index_interval_bytes = 4096;       // index.interval.bytes
  /// Whether cleanup.policy contains "delete"; without it only DeleteRecords shortens the log.
  bool delete_old = true;
  std::optional<milliseconds> retention_ms = milliseconds{604'800'000};  // empty: -1, no limit
  std::optional<std::uint64_t> retention_bytes;                          // empty: -1, no limit
  /// Whether cleanup.policy contains "compact".
  bool compact = false;
  milliseconds min_compaction_lag{0};                    // min.compaction.lag.ms
  milliseconds max_compaction_lag{milliseconds::max()};  // max.compaction.lag.ms
  double min_cleanable_dirty_ratio = 0.5;                // min.cleanable.dirty.ratio
  milliseconds delete_retention{86'400'000};             // delete.retention.ms
  FlushMode flush_mode = FlushMode::sync_before_ack;
  /// flush.ms, for FlushMode::page_cache: sync at the latest this long after a write.
  std::optional<milliseconds> flush_ms;

  bool operator==(const LogSettings&) const = default;

  /// How old the first record of a segment gets before the next one begins. What compaction should
  /// not wait for longer than max.compaction.lag.ms must not stay in the active segment for longer.
  milliseconds roll_age() const {
    const milliseconds least = compact ? std::min(segment_ms, max_compaction_lag) : segment_ms;
    return std::max(milliseconds(0), least - segment_jitter_ms);
  }
};

using SharedLogSettings = std::shared_ptr<const LogSettings>;

}  // namespace chronik::wal
