#include "broker/settings/topic_settings.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <charconv>

#include "base/check.h"
#include "broker/settings/table.h"
#include "broker/settings/value.h"

namespace chronik::broker {

namespace {

constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

std::int32_t as_int32(std::string_view value) { return static_cast<std::int32_t>(as_int64(value)); }
milliseconds as_ms(std::string_view value) { return milliseconds{as_int64(value)}; }

std::optional<protocol::Codec> as_compression(std::string_view value) {
  if (value == "uncompressed") return protocol::Codec::none;
  if (value == "gzip") return protocol::Codec::gzip;
  if (value == "snappy") return protocol::Codec::snappy;
  if (value == "lz4") return protocol::Codec::lz4;
  if (value == "zstd") return protocol::Codec::zstd;
  return std::nullopt;
}

void set_cleanup_policy(TopicSettings& settings, std::string_view value) {
  settings.delete_old = false;
  settings.compact = false;
  for (const std::string& policy : as_list(value)) {
    settings.delete_old = settings.delete_old || policy == "delete";
    settings.compact = settings.compact || policy == "compact";
  }
}

ThrottledReplicas as_throttled_replicas(std::string_view value) {
  ThrottledReplicas replicas;
  for (const std::string& each : as_list(value)) {
    if (each == "*") return {.all = true, .some = {}};
    const char* const end = each.data() + each.size();
    PartitionId partition = 0;
    BrokerId broker = 0;
    const auto [colon, bad] = std::from_chars(each.data(), end, partition);
    // A number that is too large names nobody.
    if (bad != std::errc() || colon == end) continue;
    if (std::from_chars(colon + 1, end, broker).ec != std::errc()) continue;
    replicas.some.emplace_back(partition, broker);
  }
  return replicas;
}

struct Field {
  std::string_view name;
  void (*take)(TopicSettings& to, std::string_view value);
};

constexpr Field fields[] = {
    {"cleanup.policy", set_cleanup_policy},
    {"compression.gzip.level", [](auto& to, auto value) { to.gzip_level = as_int32(value); }},
    {"compression.lz4.level", [](auto& to, auto value) { to.lz4_level = as_int32(value); }},
    {"compression.type", [](auto& to, auto value) { to.compression = as_compression(value); }},
    {"compression.zstd.level", [](auto& to, auto value) { to.zstd_level = as_int32(value); }},
    {"delete.retention.ms", [](auto& to, auto value) { to.delete_retention_ms = as_ms(value); }},
    {"file.delete.delay.ms", [](auto& to, auto value) { to.file_delete_delay_ms = as_ms(value); }},
    {"flush.messages", [](auto& to, auto value) { to.sync_before_ack = as_int64(value) != never; }},
    {"flush.ms",
     [](auto& to, auto value) {
       to.flush_ms = as_int64(value) == never ? std::nullopt : std::optional(as_ms(value));
     }},
    {"follower.replication.throttled.replicas",
     [](auto& to, auto value) { to.throttled_followers = as_throttled_replicas(value); }},
    {"index.interval.bytes",
     [](auto& to, auto value) { to.index_interval_bytes = as_int32(value); }},
    {"leader.replication.throttled.replicas",
     [](auto& to, auto value) { to.throttled_leaders = as_throttled_replicas(value); }},
    {"max.compaction.lag.ms",
     [](auto& to, auto value) { to.max_compaction_lag_ms = as_ms(value); }},
    {"max.decompressed.message.bytes",
     [](auto& to, auto value) { to.max_decompressed_message_bytes = as_int32(value); }},
    {"max.message.bytes", [](auto& to, auto value) { to.max_message_bytes = as_int32(value); }},
    {"message.timestamp.after.max.ms",
     [](auto& to, auto value) { to.timestamp_after_max_ms = as_ms(value); }},
    {"message.timestamp.before.max.ms",
     [](auto& to, auto value) { to.timestamp_before_max_ms = as_ms(value); }},
    {"message.timestamp.type",
     [](auto& to, auto value) {
       to.timestamp_type = value == "LogAppendTime" ? protocol::TimestampType::log_append_time
                                                    : protocol::TimestampType::create_time;
     }},
    {"min.cleanable.dirty.ratio",
     [](auto& to, auto value) { to.min_cleanable_dirty_ratio = as_double(value); }},
    {"min.compaction.lag.ms",
     [](auto& to, auto value) { to.min_compaction_lag_ms = as_ms(value); }},
    {"min.insync.replicas", [](auto& to, auto value) { to.min_insync_replicas = as_int32(value); }},
    {"preallocate", [](auto& to, auto value) { to.preallocate = as_bool(value); }},
    {"retention.bytes",
     [](auto& to, auto value) {
       const std::int64_t bytes = as_int64(value);
       to.retention_bytes =
           bytes < 0 ? std::nullopt : std::optional(static_cast<std::uint64_t>(bytes));
     }},
    {"retention.ms",
     [](auto& to, auto value) {
       to.retention_ms = as_int64(value) < 0 ? std::nullopt : std::optional(as_ms(value));
     }},
    {"segment.bytes", [](auto& to, auto value) { to.segment_bytes = as_int32(value); }},
    {"segment.index.bytes", [](auto& to, auto value) { to.segment_index_bytes = as_int32(value); }},
    {"segment.jitter.ms", [](auto& to, auto value) { to.segment_jitter_ms = as_ms(value); }},
    {"segment.ms", [](auto& to, auto value) { to.segment_ms = as_ms(value); }},
};

const Field* find_field(std::string_view name) {
  for (const Field& field : fields) {
    if (field.name == name) return &field;
  }
  return nullptr;
}

}  // namespace

bool ThrottledReplicas::contains(PartitionId partition, BrokerId broker) const {
  return all || std::ranges::find(some, std::pair(partition, broker)) != some.end();
}

std::int32_t TopicSettings::compression_level(protocol::Codec codec) const {
  switch (codec) {
    case protocol::Codec::gzip:
      return gzip_level;
    case protocol::Codec::lz4:
      return lz4_level;
    case protocol::Codec::zstd:
      return zstd_level;
    case protocol::Codec::none:
    case protocol::Codec::snappy:
      return 0;
  }
  UNREACHABLE();
}

bool has_topic_field(std::string_view name) { return find_field(name) != nullptr; }

void apply_topic_setting(TopicSettings& settings, std::string_view name, std::string_view value) {
  const Field* const field = find_field(name);
  if (field != nullptr) field->take(settings, value);
}

TopicSettings resolve_topic_settings(const TopicSettings& defaults,
                                     const metadata::ConfigMap& overrides) {
  TopicSettings settings = defaults;
  for (const auto& [name, value] : overrides) {
    const SettingDefinition* const definition = topic_settings().find(name);
    if (definition == nullptr) continue;
    const Result<std::string> canonical = canonical_value(*definition, value);
    if (canonical) apply_topic_setting(settings, name, *canonical);
  }
  return settings;
}

Result<> check_topic_settings(const TopicSettings& settings) {
  if (settings.min_compaction_lag_ms > settings.max_compaction_lag_ms) {
    return Error{Errc::invalid_argument,
                 fmt::format("conflict topic config setting min.compaction.lag.ms ({}) > "
                             "max.compaction.lag.ms ({})",
                             settings.min_compaction_lag_ms.count(),
                             settings.max_compaction_lag_ms.count())};
  }
  return {};
}

}  // namespace chronik::broker
