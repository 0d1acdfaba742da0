#include "broker/settings/settings.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <charconv>
#include <span>

#include "broker/settings/listeners.h"
#include "broker/settings/value.h"

namespace chronik::broker {

namespace {

milliseconds as_ms(std::string_view value) { return milliseconds{as_int64(value)}; }
std::int32_t as_int32(std::string_view value) { return static_cast<std::int32_t>(as_int64(value)); }

LogLevel as_log_level(std::string_view value) {
  if (value == "debug") return LogLevel::debug;
  if (value == "warn") return LogLevel::warn;
  if (value == "error") return LogLevel::error;
  return LogLevel::info;
}

/// Settings that become one field without more ado. Never null: their defaults are not.
struct Field {
  std::string_view name;
  void (*take)(Settings& to, std::string_view value);
};

constexpr Field fields[] = {
    {"auto.create.topics.enable",
     [](auto& to, auto value) { to.auto_create_topics_enable = as_bool(value); }},
    {"chronik.disk.reserve.bytes",
     [](auto& to, auto value) {
       to.disk_reserve_bytes = static_cast<std::uint64_t>(as_int64(value));
     }},
    {"chronik.disk.watermark.bytes",
     [](auto& to, auto value) {
       to.disk_watermark_bytes = static_cast<std::uint64_t>(as_int64(value));
     }},
    {"chronik.journal.append.bytes.max",
     [](auto& to, auto value) {
       to.journal_append_bytes_max = static_cast<std::uint64_t>(as_int64(value));
     }},
    {"chronik.journal.bytes.max",
     [](auto& to, auto value) {
       to.journal_bytes_max = static_cast<std::uint64_t>(as_int64(value));
     }},
    {"chronik.log.level", [](auto& to, auto value) { to.log_level = as_log_level(value); }},
    {"chronik.shards", [](auto& to, auto value) { to.shards = as_int32(value); }},
    {"connections.max.idle.ms",
     [](auto& to, auto value) {
       to.connections_max_idle_ms =
           as_int64(value) < 0 ? std::nullopt : std::optional(as_ms(value));
     }},
    {"default.replication.factor",
     [](auto& to, auto value) {
       to.default_replication_factor = static_cast<std::int16_t>(as_int64(value));
     }},
    {"delete.topic.enable", [](auto& to, auto value) { to.delete_topic_enable = as_bool(value); }},
    {"fetch.max.bytes", [](auto& to, auto value) { to.fetch_max_bytes = as_int32(value); }},
    {"group.initial.rebalance.delay.ms",
     [](auto& to, auto value) { to.group_initial_rebalance_delay_ms = as_ms(value); }},
    {"group.max.session.timeout.ms",
     [](auto& to, auto value) { to.group_max_session_timeout_ms = as_ms(value); }},
    {"group.max.size", [](auto& to, auto value) { to.group_max_size = as_int32(value); }},
    {"group.min.session.timeout.ms",
     [](auto& to, auto value) { to.group_min_session_timeout_ms = as_ms(value); }},
    {"log.cleaner.backoff.ms",
     [](auto& to, auto value) { to.log_cleaner_backoff_ms = as_ms(value); }},
    {"log.cleaner.dedupe.buffer.size",
     [](auto& to, auto value) { to.log_cleaner_dedupe_buffer_size = as_int64(value); }},
    {"log.cleaner.enable", [](auto& to, auto value) { to.log_cleaner_enable = as_bool(value); }},
    {"log.cleaner.io.buffer.load.factor",
     [](auto& to, auto value) { to.log_cleaner_io_buffer_load_factor = as_double(value); }},
    {"log.cleaner.io.buffer.size",
     [](auto& to, auto value) { to.log_cleaner_io_buffer_size = as_int32(value); }},
    {"log.cleaner.io.max.bytes.per.second",
     [](auto& to, auto value) { to.log_cleaner_io_max_bytes_per_second = as_double(value); }},
    {"log.retention.check.interval.ms",
     [](auto& to, auto value) { to.log_retention_check_interval_ms = as_ms(value); }},
    {"max.connections", [](auto& to, auto value) { to.max_connections = as_int32(value); }},
    {"max.connections.per.ip",
     [](auto& to, auto value) { to.max_connections_per_ip = as_int32(value); }},
    {"max.incremental.fetch.session.cache.slots",
     [](auto& to, auto value) { to.max_incremental_fetch_session_cache_slots = as_int32(value); }},
    {"max.request.partition.size.limit",
     [](auto& to, auto value) { to.max_request_partition_size_limit = as_int32(value); }},
    {"num.partitions", [](auto& to, auto value) { to.num_partitions = as_int32(value); }},
    {"offset.metadata.max.bytes",
     [](auto& to, auto value) { to.offset_metadata_max_bytes = as_int32(value); }},
    {"offsets.retention.check.interval.ms",
     [](auto& to, auto value) { to.offsets_retention_check_interval_ms = as_ms(value); }},
    {"offsets.retention.minutes",
     [](auto& to, auto value) { to.offsets_retention_ms = std::chrono::minutes{as_int64(value)}; }},
    {"producer.id.expiration.ms",
     [](auto& to, auto value) { to.producer_id_expiration_ms = as_ms(value); }},
    {"replica.lag.time.max.ms",
     [](auto& to, auto value) { to.replica_lag_time_max_ms = as_ms(value); }},
    {"socket.listen.backlog.size",
     [](auto& to, auto value) { to.socket_listen_backlog_size = as_int32(value); }},
    {"socket.receive.buffer.bytes",
     [](auto& to, auto value) { to.socket_receive_buffer_bytes = as_int32(value); }},
    {"socket.request.max.bytes",
     [](auto& to, auto value) { to.socket_request_max_bytes = as_int32(value); }},
    {"socket.send.buffer.bytes",
     [](auto& to, auto value) { to.socket_send_buffer_bytes = as_int32(value); }},
};

// Read below, in listeners.cc or cluster.cc, with a look at more than their own value.
constexpr std::string_view other_fields[] = {
    "advertised.listeners",
    "broker.id",
    "broker.rack",
    "chronik.cluster.id",
    "cluster.election.timeout.ms",
    "cluster.frame.bytes.max",
    "cluster.heartbeat.interval.ms",
    "cluster.listeners",
    "cluster.nodes",
    "cluster.propose.timeout.ms",
    "cluster.queue.bytes.max",
    "controller.listener.names",
    "listener.security.protocol.map",
    "listeners",
    "log.dir",
    "log.dirs",
    "max.connections.per.ip.overrides",
    "node.id",
    "node.role",
    "process.roles",
    "replica.selector.class",
};

/// The smaller, and the greater or equal, by name.
struct Order {
  std::string_view low;
  std::string_view high;
};

// Kafka asks for the same, also of settings that are only listed here.
constexpr Order orders[] = {
    {"group.min.session.timeout.ms", "group.max.session.timeout.ms"},
    {"log.cleaner.min.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms"},
    {"group.consumer.min.heartbeat.interval.ms", "group.consumer.heartbeat.interval.ms"},
    {"group.consumer.heartbeat.interval.ms", "group.consumer.max.heartbeat.interval.ms"},
    {"group.consumer.min.session.timeout.ms", "group.consumer.session.timeout.ms"},
    {"group.consumer.session.timeout.ms", "group.consumer.max.session.timeout.ms"},
    {"group.consumer.min.assignment.interval.ms", "group.consumer.assignment.interval.ms"},
    {"group.consumer.assignment.interval.ms", "group.consumer.max.assignment.interval.ms"},
    {"group.share.min.heartbeat.interval.ms", "group.share.heartbeat.interval.ms"},
    {"group.share.heartbeat.interval.ms", "group.share.max.heartbeat.interval.ms"},
    {"group.share.min.session.timeout.ms", "group.share.session.timeout.ms"},
    {"group.share.session.timeout.ms", "group.share.max.session.timeout.ms"},
    {"group.share.min.delivery.count.limit", "group.share.delivery.count.limit"},
    {"group.share.delivery.count.limit", "group.share.max.delivery.count.limit"},
    {"group.share.min.record.lock.duration.ms", "group.share.record.lock.duration.ms"},
    {"group.share.record.lock.duration.ms", "group.share.max.record.lock.duration.ms"},
    {"group.share.min.partition.max.record.locks", "group.share.partition.max.record.locks"},
    {"group.share.partition.max.record.locks", "group.share.max.partition.max.record.locks"},
    {"group.streams.min.heartbeat.interval.ms", "group.streams.heartbeat.interval.ms"},
    {"group.streams.heartbeat.interval.ms", "group.streams.max.heartbeat.interval.ms"},
    {"group.streams.min.session.timeout.ms", "group.streams.session.timeout.ms"},
    {"group.streams.session.timeout.ms", "group.streams.max.session.timeout.ms"},
    {"group.streams.num.standby.replicas", "group.streams.max.standby.replicas"},
    {"socket.connection.setup.timeout.ms", "socket.connection.setup.timeout.max.ms"},
};

using Problem = std::optional<SettingProblem>;

Problem check_orders(const ConfigLayers& layers) {
  for (const Order& order : orders) {
    const std::string low = layers.value(order.low).value();
    const std::string high = layers.value(order.high).value();
    if (as_int64(low) <= as_int64(high)) continue;
    return SettingProblem{std::string(order.low),
                          fmt::format("must not be more than {}, which is {}", order.high, high)};
  }
  return std::nullopt;
}

/// Milliseconds and bytes of which Kafka forbids 0 without a rule in its table.
Problem check_not_zero(const ConfigLayers& layers) {
  for (const std::string_view name :
       {"log.retention.ms", "log.retention.minutes", "log.retention.hours"}) {
    const std::optional<std::string> value = layers.value(name);
    if (value && (*value == "0" || as_int64(*value) < -1)) {
      return SettingProblem{std::string(name),
                            "must be at least 1, or -1 to keep records for ever"};
    }
  }
  for (const std::string_view name : {"socket.receive.buffer.bytes", "socket.send.buffer.bytes"}) {
    const std::string value = layers.value(name).value();
    if (value == "0" || as_int64(value) < -1) {
      return SettingProblem{std::string(name), "must be at least 1, or -1 for the system's choice"};
    }
  }
  for (const std::string_view name :
       {"group.initial.rebalance.delay.ms", "group.min.session.timeout.ms",
        "offset.metadata.max.bytes", "log.roll.ms", "log.roll.jitter.ms",
        "log.flush.interval.ms"}) {
    const std::optional<std::string> value = layers.value(name);
    if (value && as_int64(*value) < 0) {
      return SettingProblem{std::string(name), "must not be negative"};
    }
  }
  if (layers.value("log.roll.ms") == "0")
    return SettingProblem{"log.roll.ms", "must be at least 1"};
  return std::nullopt;
}

Problem read_node(const ConfigLayers& layers, Settings& to) {
  to.node_id = as_int32(layers.value("node.id").value());
  to.rack = layers.value("broker.rack");
  const auto roles = as_list(layers.value("process.roles").value_or(""));
  if (!roles.empty() && std::find(roles.begin(), roles.end(), "broker") == roles.end()) {
    return SettingProblem{"process.roles",
                          "must contain broker; chronik needs no controllers of their own"};
  }
  if (const auto id = layers.value("chronik.cluster.id"); id && !id->empty()) {
    to.cluster_id = Uuid::parse(*id);
    if (!to.cluster_id || to.cluster_id->is_zero()) {
      return SettingProblem{"chronik.cluster.id", "must be 22 characters of URL base64"};
    }
  }
  // Kafka's rule: log.dirs, unless it is unset or empty.
  to.log_dirs = as_list(layers.value("log.dirs").value_or(""));
  const std::string_view from = to.log_dirs.empty() ? "log.dir" : "log.dirs";
  if (to.log_dirs.empty()) to.log_dirs = as_list(layers.value("log.dir").value());
  if (to.log_dirs.empty()) return SettingProblem{"log.dir", "names no directory"};
  if (to.log_dirs.size() > 1) {
    return SettingProblem{
        std::string(from),
        fmt::format("names {} directories, but chronik keeps its data in one", to.log_dirs.size())};
  }
  return std::nullopt;
}

/// Kafka loads a class by this name; two of them are known here by what they do.
Problem read_replica_selector(const ConfigLayers& layers, Settings& to) {
  constexpr std::string_view name = "replica.selector.class";
  constexpr std::string_view leader = "org.apache.kafka.common.replica.LeaderSelector";
  constexpr std::string_view rack = "org.apache.kafka.common.replica.RackAwareReplicaSelector";
  const std::string value = layers.value(name).value_or("");
  if (!value.empty() && value != leader && value != rack) {
    return SettingProblem{
        std::string(name),
        fmt::format("{} cannot be loaded, since chronik runs no Java: name {}, so that consumers "
                    "read from a replica in their rack, or {} (as without a value), so that they "
                    "read from the leader",
                    value, rack, leader)};
  }
  to.reads_in_rack = value == rack;
  return std::nullopt;
}

/// address:count, separated by commas.
Problem read_overrides_per_ip(const ConfigLayers& layers, Settings& to) {
  const std::string_view name = "max.connections.per.ip.overrides";
  for (const std::string& entry : split_list(layers.value(name).value_or(""))) {
    const std::size_t colon = entry.rfind(':');
    std::int32_t count = -1;
    if (colon != std::string::npos && colon > 0) {
      const char* const end = entry.data() + entry.size();
      const auto parsed = std::from_chars(entry.data() + colon + 1, end, count);
      if (parsed.ec != std::errc() || parsed.ptr != end) count = -1;
    }
    if (count < 0) {
      return SettingProblem{std::string(name),
                            fmt::format("{} is not of the form address:count", entry)};
    }
    to.max_connections_per_ip_overrides[entry.substr(0, colon)] = count;
  }
  return std::nullopt;
}

void read_topic_defaults(const ConfigLayers& layers, TopicSettings& to) {
  for (const SettingDefinition* definition : topic_settings().rows()) {
    const std::optional<std::string> value = inherited_value(*definition, layers);
    if (value) apply_topic_setting(to, definition->name, *value);
  }
}

}  // namespace

std::variant<Settings, SettingProblem> make_settings(const ConfigLayers& layers) {
  Settings settings;
  for (const Field& field : fields) field.take(settings, layers.value(field.name).value());
  for (const auto check : {check_orders, check_not_zero}) {
    if (Problem problem = check(layers)) return *problem;
  }
  for (const auto read : {read_node, read_replica_selector, read_overrides_per_ip}) {
    if (Problem problem = read(layers, settings)) return *problem;
  }
  auto listeners = read_listeners(layers);
  if (auto* problem = std::get_if<SettingProblem>(&listeners)) return *problem;
  settings.listeners = std::move(std::get<Listeners>(listeners).bound);
  settings.advertised_listeners = std::move(std::get<Listeners>(listeners).advertised);
  auto cluster = read_cluster(layers, settings.node_id, settings.listeners);
  if (auto* problem = std::get_if<SettingProblem>(&cluster)) return *problem;
  settings.cluster = std::move(std::get<std::optional<ClusterSettings>>(cluster));
  read_topic_defaults(layers, settings.topic_defaults);
  return settings;
}

std::vector<std::string_view> settings_with_fields() {
  std::vector<std::string_view> names(std::begin(other_fields), std::end(other_fields));
  for (const Field& field : fields) names.push_back(field.name);
  for (const SettingDefinition* definition : topic_settings().rows()) {
    if (!has_topic_field(definition->name)) continue;
    for (const InheritedFrom& from : inherited_from(definition->name)) {
      names.push_back(from.broker_name);
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace chronik::broker
