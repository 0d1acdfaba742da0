// TopicSettings: what a partition must know of its topic's configuration, typed. Made from the
// broker's defaults (Settings::topic_defaults, which follow server.properties and the dynamic
// broker configs) and the topic's overrides (metadata::Topic::configs); made anew when either
// changes. A plain value; pure functions.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/types.h"
#include "metadata/config_map.h"
#include "protocol/record_batch.h"

namespace chronik::broker {

/// Which replicas of a topic a throttle is for (KIP-73).
struct ThrottledReplicas {
  bool all = false;
  std::vector<std::pair<PartitionId, BrokerId>> some;

  bool contains(PartitionId partition, BrokerId broker) const;
  bool operator==(const ThrottledReplicas&) const = default;
};

struct TopicSettings {
  // The log.
  bool delete_old = true;  // cleanup.policy contains "delete"
  bool compact = false;    // cleanup.policy contains "compact"
  std::optional<milliseconds> retention_ms = milliseconds{604'800'000};  // none: for ever
  std::optional<std::uint64_t> retention_bytes;                          // none: no limit
  std::int32_t segment_bytes = 1'073'741'824;
  milliseconds segment_ms{604'800'000};
  milliseconds segment_jitter_ms{0};
  std::int32_t segment_index_bytes = 10'485'760;
  std::int32_t index_interval_bytes = 4096;
  milliseconds file_delete_delay_ms{60'000};
  bool preallocate = false;

  // Durability. flush.messages of 1, or of any number below Kafka's "never": acknowledged means on
  // disk. "Never" (9223372036854775807) acknowledges from the page cache; then flush_ms, when there
  // is one, bounds the time until it is on disk.
  bool sync_before_ack = true;
  std::optional<milliseconds> flush_ms;
  std::int32_t min_insync_replicas = 1;

  // Produce.
  std::int32_t max_message_bytes = 1'048'588;
  std::int32_t max_decompressed_message_bytes = 2'147'483'639;
  protocol::TimestampType timestamp_type = protocol::TimestampType::create_time;
  milliseconds timestamp_before_max_ms{std::numeric_limits<std::int64_t>::max()};
  milliseconds timestamp_after_max_ms{3'600'000};
  std::optional<protocol::Codec> compression;  // none: as the producer chose
  std::int32_t gzip_level = -1;
  std::int32_t lz4_level = 9;
  std::int32_t zstd_level = 3;

  // Compaction.
  milliseconds delete_retention_ms{86'400'000};
  milliseconds min_compaction_lag_ms{0};
  milliseconds max_compaction_lag_ms{std::numeric_limits<std::int64_t>::max()};
  double min_cleanable_dirty_ratio = 0.5;

  // Replication. The rates belong to the brokers.
  ThrottledReplicas throttled_leaders;
  ThrottledReplicas throttled_followers;

  bool operator==(const TopicSettings&) const = default;

  /// The level for `compression`, or for the codec that is named.
  std::int32_t compression_level(protocol::Codec codec) const;
};

/// Takes one topic setting over. `value` is canonical (value.h) and valid. Names without a field
/// here (remote.storage.enable, ...) change nothing.
void apply_topic_setting(TopicSettings& settings, std::string_view name, std::string_view value);

/// The defaults with the overrides on top. An override that this build does not know, or that is no
/// valid value to it (another version wrote it), is left out: the default rules.
TopicSettings resolve_topic_settings(const TopicSettings& defaults,
                                     const metadata::ConfigMap& overrides);

/// Whether there is a typed field for the setting.
bool has_topic_field(std::string_view name);

/// What must hold between settings: min.compaction.lag.ms <= max.compaction.lag.ms. Errors:
/// invalid_argument, in Kafka's words.
Result<> check_topic_settings(const TopicSettings& settings);

}  // namespace chronik::broker
