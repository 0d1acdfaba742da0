#include "broker/settings/table.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "broker/settings/table_rows.h"

namespace chronik::broker {

namespace {

constexpr std::string_view listener_prefix = "listener.name.";

struct Ignored {
  std::string_view name;  // with a dot at the end: every key that begins so
  std::string_view why;
};

constexpr std::string_view zookeeper_is_gone = "ZooKeeper is not used";
constexpr std::string_view removed = "Kafka 4 has no such setting any more";
constexpr std::string_view internal = "internal to Kafka";
constexpr std::string_view plugin = "for a Java plugin";

// Found in the files of years; a drop-in must not stumble over them.
constexpr Ignored ignored[] = {
    {"zookeeper.", zookeeper_is_gone},
    {"broker.id.generation.enable", zookeeper_is_gone},
    {"reserved.broker.max.id", zookeeper_is_gone},
    {"control.plane.listener.name", zookeeper_is_gone},
    {"enable.zookeeper.quorum", zookeeper_is_gone},
    {"advertised.host.name", removed},
    {"advertised.port", removed},
    {"delegation.token.master.key", removed},
    {"host.name", removed},
    {"inter.broker.protocol.version", removed},
    {"log.message.downconversion.enable", removed},
    {"log.message.format.version", removed},
    {"log.message.timestamp.difference.max.ms", removed},
    {"offsets.commit.required.acks", removed},
    {"password.encoder.", removed},
    {"port", removed},
    {"quota.consumer.default", removed},
    {"quota.producer.default", removed},
    {"unstable.api.versions.enable", internal},
    {"unstable.feature.versions.enable", internal},
    {"controller.performance.always.log.threshold.ms", internal},
    {"controller.performance.sample.period.ms", internal},
    {"group.consumer.assignor.offload.enable", internal},
    {"group.consumer.regex.refresh.interval.ms", internal},
    {"group.coordinator.new.enable", internal},
    {"group.share.assignor.offload.enable", internal},
    {"group.share.dlq.manager.class.name", internal},
    {"group.share.enable", internal},
    {"group.share.initialize.retry.interval.ms", internal},
    {"group.share.persister.class.name", internal},
    {"group.streams.acceptable.recovery.lag", internal},
    {"group.streams.assignor.offload.enable", internal},
    {"group.streams.max.warmup.replicas", internal},
    {"group.streams.min.task.offset.interval.ms", internal},
    {"group.streams.num.warmup.replicas", internal},
    {"group.streams.task.offset.interval.ms", internal},
    {"internal.", internal},
    {"log.initial.task.delay.ms", internal},
    {"producer.id.expiration.check.interval.ms", internal},
    {"remote.log.index.file.cache.ttl.ms", internal},
    {"remote.log.manager.task.retry.backoff.max.ms", internal},
    {"remote.log.manager.task.retry.backoff.ms", internal},
    {"remote.log.manager.task.retry.jitter", internal},
    {"server.max.startup.time.ms", internal},
    {"share.coordinator.cold.partition.snapshot.interval.ms", internal},
    {"share.coordinator.state.topic.prune.interval.ms", internal},
    {"unclean.leader.election.interval.ms", internal},
    {"config.providers.", plugin},
    {"confluent.", plugin},
    {"cruise.control.metrics.", plugin},
    {"rlmm.config.", plugin},
    {"rsm.config.", plugin},
};

constexpr std::int64_t ms_per_minute = 60'000;
constexpr std::int64_t ms_per_hour = 60 * ms_per_minute;

struct Inheritance {
  std::string_view topic_name;
  std::array<InheritedFrom, 3> from;
};

// As Kafka's topic configuration synonyms.
constexpr Inheritance inheritance[] = {
    {"cleanup.policy", {{{"log.cleanup.policy"}}}},
    {"compression.gzip.level", {{{"compression.gzip.level"}}}},
    {"compression.lz4.level", {{{"compression.lz4.level"}}}},
    {"compression.type", {{{"compression.type"}}}},
    {"compression.zstd.level", {{{"compression.zstd.level"}}}},
    {"delete.retention.ms", {{{"log.cleaner.delete.retention.ms"}}}},
    {"file.delete.delay.ms", {{{"log.segment.delete.delay.ms"}}}},
    {"flush.messages", {{{"log.flush.interval.messages"}}}},
    {"flush.ms", {{{"log.flush.interval.ms"}, {"log.flush.scheduler.interval.ms"}}}},
    {"index.interval.bytes", {{{"log.index.interval.bytes"}}}},
    {"local.retention.bytes", {{{"log.local.retention.bytes"}}}},
    {"local.retention.ms", {{{"log.local.retention.ms"}}}},
    {"max.compaction.lag.ms", {{{"log.cleaner.max.compaction.lag.ms"}}}},
    {"max.decompressed.message.bytes", {{{"max.decompressed.message.bytes"}}}},
    {"max.message.bytes", {{{"message.max.bytes"}}}},
    {"message.timestamp.after.max.ms", {{{"log.message.timestamp.after.max.ms"}}}},
    {"message.timestamp.before.max.ms", {{{"log.message.timestamp.before.max.ms"}}}},
    {"message.timestamp.type", {{{"log.message.timestamp.type"}}}},
    {"min.cleanable.dirty.ratio", {{{"log.cleaner.min.cleanable.ratio"}}}},
    {"min.compaction.lag.ms", {{{"log.cleaner.min.compaction.lag.ms"}}}},
    {"min.insync.replicas", {{{"min.insync.replicas"}}}},
    {"preallocate", {{{"log.preallocate"}}}},
    {"remote.copy.lag.bytes", {{{"log.remote.copy.lag.bytes"}}}},
    {"remote.copy.lag.ms", {{{"log.remote.copy.lag.ms"}}}},
    {"retention.bytes", {{{"log.retention.bytes"}}}},
    {"retention.ms",
     {{{"log.retention.ms"},
       {"log.retention.minutes", ms_per_minute},
       {"log.retention.hours", ms_per_hour}}}},
    {"segment.bytes", {{{"log.segment.bytes"}}}},
    {"segment.index.bytes", {{{"log.index.size.max.bytes"}}}},
    {"segment.jitter.ms", {{{"log.roll.jitter.ms"}, {"log.roll.jitter.hours", ms_per_hour}}}},
    {"segment.ms", {{{"log.roll.ms"}, {"log.roll.hours", ms_per_hour}}}},
    {"unclean.leader.election.enable", {{{"unclean.leader.election.enable"}}}},
};

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t limit) {
  if (a.size() > b.size() + limit || b.size() > a.size() + limit) return limit + 1;
  std::vector<std::size_t> before_last(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({row[j - 1] + 1, last[j] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
    }
    std::swap(before_last, last);
    std::swap(last, row);
  }
  return std::min(last[b.size()], limit + 1);
}

SettingTable::SettingTable(std::initializer_list<std::span<const SettingDefinition>> parts) {
  for (const auto& part : parts) {
    for (const SettingDefinition& row : part) rows_.push_back(&row);
  }
  std::sort(rows_.begin(), rows_.end(), [](auto* a, auto* b) { return a->name < b->name; });
  const auto twice = std::adjacent_find(rows_.begin(), rows_.end(),
                                        [](auto* a, auto* b) { return a->name == b->name; });
  CHECK_MSG(twice == rows_.end(), std::string((*twice)->name));
}

const SettingDefinition* SettingTable::find(std::string_view name) const {
  const auto at = std::lower_bound(
      rows_.begin(), rows_.end(), name,
      [](const SettingDefinition* row, auto wanted) { return row->name < wanted; });
  return at != rows_.end() && (*at)->name == name ? *at : nullptr;
}

std::string_view SettingTable::nearest(std::string_view name) const {
  std::string_view best;
  // A third of the characters may be wrong: enough for a forgotten word ("log.retention" for
  // "log.retention.ms" is three), and too little for a mere guess.
  std::size_t limit = std::max<std::size_t>(name.size() / 3, 1);
  for (const SettingDefinition* row : rows_) {
    const std::size_t distance = edit_distance(name, row->name, limit);
    if (distance <= limit && (best.empty() || distance < limit)) {
      best = row->name;
      limit = distance;
    }
  }
  return best;
}

const SettingTable& broker_settings() {
  static const SettingTable table({rows::network(), rows::topic_defaults(),
                                   rows::group_coordinator(), rows::share_and_streams(),
                                   rows::cluster(), rows::transactions(), rows::remote_storage(),
                                   rows::security(), rows::own()});
  return table;
}

const SettingTable& topic_settings() {
  static const SettingTable table({rows::topics()});
  return table;
}

const SettingTable& group_settings() {
  static const SettingTable table({rows::groups()});
  return table;
}

const SettingTable& client_metrics_settings() {
  static const SettingTable table({rows::client_metrics()});
  return table;
}

const SettingTable& replication_throttle_settings() {
  static const SettingTable table({rows::replication_throttles()});
  return table;
}

std::string_view without_listener_prefix(std::string_view name) {
  if (!name.starts_with(listener_prefix)) return name;
  const std::size_t dot = name.find('.', listener_prefix.size());
  if (dot == std::string_view::npos || dot == listener_prefix.size()) return name;
  const std::string_view rest = name.substr(dot + 1);
  // Either the setting follows, or the name of a SASL mechanism and then the setting.
  if (broker_settings().find(rest) != nullptr) return rest;
  const std::size_t second_dot = rest.find('.');
  if (second_dot == std::string_view::npos || second_dot == 0) return rest;
  return rest.substr(second_dot + 1);
}

const SettingDefinition* find_broker_setting(std::string_view name) {
  return broker_settings().find(without_listener_prefix(name));
}

bool is_own_setting(std::string_view name) {
  return std::ranges::any_of(rows::own(), [&](auto& row) { return row.name == name; });
}

std::string_view why_ignored(std::string_view name) {
  for (const Ignored& entry : ignored) {
    const bool family = entry.name.ends_with('.');
    if (family ? name.starts_with(entry.name) : name == entry.name) return entry.why;
  }
  return {};
}

std::span<const InheritedFrom> inherited_from(std::string_view topic_name) {
  for (const Inheritance& entry : inheritance) {
    if (entry.topic_name != topic_name) continue;
    std::size_t count = 0;
    while (count < entry.from.size() && !entry.from[count].broker_name.empty()) ++count;
    return std::span(entry.from).first(count);
  }
  return {};
}

std::string_view group_inherited_from(std::string_view group_name) {
  if (group_name == "streams.assignor.name") return "group.streams.assignors";
  const SettingDefinition* const found = broker_settings().find("group." + std::string(group_name));
  return found != nullptr ? found->name : std::string_view{};
}

std::vector<std::string_view> unit_family(std::string_view name) {
  for (const Inheritance& entry : inheritance) {
    std::vector<std::string_view> names;
    bool found = false;
    for (const InheritedFrom& from : entry.from) {
      if (from.broker_name.empty()) continue;
      names.push_back(from.broker_name);
      found = found || from.broker_name == name;
    }
    if (found && names.size() > 1 && names.back() != "log.flush.scheduler.interval.ms") {
      return names;
    }
  }
  return {name};
}

}  // namespace chronik::broker
