#include "broker/partition/partition_settings.h"

namespace chronik::broker {

std::shared_ptr<const PartitionSettings> partition_settings(const TopicSettings& topic,
                                                            milliseconds producer_expiration) {
  auto log = std::make_shared<wal::LogSettings>();
  log->segment_bytes = static_cast<std::uint64_t>(topic.segment_bytes);
  log->segment_ms = topic.segment_ms;
  log->segment_jitter_ms = topic.segment_jitter_ms;
  log->segment_index_bytes = static_cast<std::uint32_t>(topic.segment_index_bytes);
  log->index_interval_bytes = static_cast<std::uint32_t>(topic.index_interval_bytes);
  log->delete_old = topic.delete_old;
  log->retention_ms = topic.retention_ms;
  log->retention_bytes = topic.retention_bytes;
  log->compact = topic.compact;
  log->min_compaction_lag = topic.min_compaction_lag_ms;
  log->max_compaction_lag = topic.max_compaction_lag_ms;
  log->min_cleanable_dirty_ratio = topic.min_cleanable_dirty_ratio;
  log->delete_retention = topic.delete_retention_ms;
  log->flush_mode =
      topic.sync_before_ack ? wal::FlushMode::sync_before_ack : wal::FlushMode::page_cache;
  log->flush_ms = topic.flush_ms;

  auto settings = std::make_shared<PartitionSettings>();
  settings->log = std::move(log);
  settings->produce.max_message_bytes = topic.max_message_bytes;
  settings->produce.segment_bytes = topic.segment_bytes;
  settings->produce.record_limits.record_bytes_max = topic.max_decompressed_message_bytes;
  settings->produce.compression = topic.compression;
  if (topic.compression && *topic.compression != protocol::Codec::none) {
    settings->produce.compression_level = topic.compression_level(*topic.compression);
  }
  settings->produce.timestamp_type = topic.timestamp_type;
  settings->produce.timestamp_before_max_ms = topic.timestamp_before_max_ms.count();
  settings->produce.timestamp_after_max_ms = topic.timestamp_after_max_ms.count();
  settings->produce.compacted = topic.compact;
  settings->producer_expiration = producer_expiration;
  settings->min_insync_replicas = topic.min_insync_replicas;
  settings->throttled_leaders = topic.throttled_leaders;
  settings->throttled_followers = topic.throttled_followers;
  return settings;
}

}  // namespace chronik::broker
