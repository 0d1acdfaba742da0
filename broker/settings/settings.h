// Settings: what takes effect of the broker's settings, typed and checked. Made once at start from
// what was given (start_config.h), and anew when a dynamic broker config changes; handed out as
// shared_ptr<const Settings>, read by every shard without a lock. Names follow Kafka's.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/types.h"
#include "base/uuid.h"
#include "broker/settings/cluster.h"
#include "broker/settings/layers.h"
#include "broker/settings/topic_settings.h"

namespace chronik::broker {

struct Listener {
  std::string name;  // in upper case, as clients and metadata know it
  /// Empty in `listeners`: every interface. Empty in `advertised_listeners`: nobody said; advertise
  /// the address by which the client came.
  std::string host;
  std::uint16_t port = 0;  // 0: any free port; advertised, the port that was bound

  bool operator==(const Listener&) const = default;
};

struct Settings {
  // This node.
  BrokerId node_id = 1;
  std::optional<std::string> rack;
  std::optional<Uuid> cluster_id;  // none: random in a new data directory
  std::vector<std::string> log_dirs;
  int shards = 0;  // 0: one for every two cores
  LogLevel log_level = LogLevel::info;
  std::uint64_t disk_watermark_bytes = 0;  // 0: by the size of the disk
  std::uint64_t disk_reserve_bytes = 0;    // 0: by the size of the disk
  std::uint64_t journal_bytes_max = 0;     // 0: no journal
  std::uint64_t journal_append_bytes_max = 0;

  std::optional<ClusterSettings> cluster;  // none: standalone

  // Listeners for clients, without those of Kafka's controllers. advertised_listeners has one for
  // each listener, in the same order.
  std::vector<Listener> listeners;
  std::vector<Listener> advertised_listeners;

  // Connections.
  std::optional<milliseconds> connections_max_idle_ms;  // none: never closed for idleness
  std::int32_t max_connections = 0;
  std::int32_t max_connections_per_ip = 0;
  std::map<std::string, std::int32_t> max_connections_per_ip_overrides;
  std::int32_t socket_listen_backlog_size = 0;
  std::int32_t socket_receive_buffer_bytes = -1;  // -1: as the system likes
  std::int32_t socket_send_buffer_bytes = -1;
  std::int32_t socket_request_max_bytes = 0;

  // Topics and their logs.
  bool auto_create_topics_enable = true;
  bool delete_topic_enable = true;
  std::int32_t num_partitions = 1;
  std::int16_t default_replication_factor = 1;
  milliseconds replica_lag_time_max_ms{30'000};
  /// replica.selector.class: consumers are sent to a replica in their rack (KIP-392).
  bool reads_in_rack = false;
  std::int32_t max_request_partition_size_limit = 0;
  milliseconds log_cleaner_backoff_ms{0};
  std::int64_t log_cleaner_dedupe_buffer_size = 0;
  bool log_cleaner_enable = true;
  double log_cleaner_io_buffer_load_factor = 0.0;
  std::int32_t log_cleaner_io_buffer_size = 0;
  double log_cleaner_io_max_bytes_per_second = 0.0;
  milliseconds log_retention_check_interval_ms{0};
  TopicSettings topic_defaults;

  // Fetch and produce.
  std::int32_t fetch_max_bytes = 0;
  std::int32_t max_incremental_fetch_session_cache_slots = 0;
  milliseconds producer_id_expiration_ms{0};

  // Groups.
  milliseconds group_initial_rebalance_delay_ms{0};
  milliseconds group_min_session_timeout_ms{0};
  milliseconds group_max_session_timeout_ms{0};
  std::int32_t group_max_size = 0;
  std::int32_t offset_metadata_max_bytes = 0;
  milliseconds offsets_retention_ms{0};  // offsets.retention.minutes
  milliseconds offsets_retention_check_interval_ms{0};

  bool operator==(const Settings&) const = default;
};

/// The settings of a moment, as text with their sources and typed.
struct LiveConfig {
  ConfigLayers layers;
  Settings settings;
};

/// What is wrong between or inside settings that are fine by type: the one to change, and why.
struct SettingProblem {
  std::string name;
  std::string reason;
};

/// The settings that the layers give, or the first problem. Precondition: the values are canonical.
std::variant<Settings, SettingProblem> make_settings(const ConfigLayers& layers);

/// The broker settings that have a typed field, sorted.
std::vector<std::string_view> settings_with_fields();

}  // namespace chronik::broker
