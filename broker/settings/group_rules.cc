#include "broker/settings/group_rules.h"

#include <re2/re2.h>
#include <spdlog/fmt/fmt.h>

#include "broker/settings/value.h"

namespace chronik::broker {

namespace {

struct Bounds {
  std::string_view name;
  std::string_view min;  // broker settings; empty: no such bound
  std::string_view max;
};

constexpr Bounds bounds[] = {
    {"consumer.assignment.interval.ms", "group.consumer.min.assignment.interval.ms",
     "group.consumer.max.assignment.interval.ms"},
    {"consumer.heartbeat.interval.ms", "group.consumer.min.heartbeat.interval.ms",
     "group.consumer.max.heartbeat.interval.ms"},
    {"consumer.session.timeout.ms", "group.consumer.min.session.timeout.ms",
     "group.consumer.max.session.timeout.ms"},
    {"share.assignment.interval.ms", "group.share.min.assignment.interval.ms",
     "group.share.max.assignment.interval.ms"},
    {"share.delivery.count.limit", "group.share.min.delivery.count.limit",
     "group.share.max.delivery.count.limit"},
    {"share.heartbeat.interval.ms", "group.share.min.heartbeat.interval.ms",
     "group.share.max.heartbeat.interval.ms"},
    {"share.partition.max.record.locks", "group.share.min.partition.max.record.locks",
     "group.share.max.partition.max.record.locks"},
    {"share.record.lock.duration.ms", "group.share.min.record.lock.duration.ms",
     "group.share.max.record.lock.duration.ms"},
    {"share.session.timeout.ms", "group.share.min.session.timeout.ms",
     "group.share.max.session.timeout.ms"},
    {"streams.assignment.interval.ms", "group.streams.min.assignment.interval.ms",
     "group.streams.max.assignment.interval.ms"},
    {"streams.heartbeat.interval.ms", "group.streams.min.heartbeat.interval.ms",
     "group.streams.max.heartbeat.interval.ms"},
    {"streams.num.standby.replicas", "", "group.streams.max.standby.replicas"},
    {"streams.session.timeout.ms", "group.streams.min.session.timeout.ms",
     "group.streams.max.session.timeout.ms"},
};

std::optional<std::string> check_bounds(const ConfigLayers& layers,
                                        const metadata::ConfigMap& values) {
  for (const Bounds& bound : bounds) {
    const std::string* const text = values.find(bound.name);
    if (text == nullptr) continue;
    const std::int64_t value = as_int64(*text);
    const std::int64_t max = as_int64(layers.value(bound.max).value());
    if (bound.min.empty()) {
      if (value > max) return fmt::format("{} must be at most {}.", bound.name, max);
      continue;
    }
    const std::int64_t min = as_int64(layers.value(bound.min).value());
    if (value < min || value > max) {
      return fmt::format("{} must be in the range {} to {} inclusive.", bound.name, min, max);
    }
  }
  return std::nullopt;
}

std::int64_t effective(const ConfigLayers& layers, const metadata::ConfigMap& values,
                       std::string_view name) {
  if (const std::string* own = values.find(name)) return as_int64(*own);
  return as_int64(inherited_group_value(*group_settings().find(name), layers).value());
}

std::optional<std::string> check_sessions(const ConfigLayers& layers,
                                          const metadata::ConfigMap& values) {
  for (const std::string kind : {"consumer", "share", "streams"}) {
    const std::string session = kind + ".session.timeout.ms";
    const std::string heartbeat = kind + ".heartbeat.interval.ms";
    if (values.find(session) == nullptr && values.find(heartbeat) == nullptr) continue;
    if (effective(layers, values, session) <= effective(layers, values, heartbeat)) {
      return fmt::format("{} must be greater than {}.", session, heartbeat);
    }
  }
  return std::nullopt;
}

std::optional<std::string> check_offset_reset(const metadata::ConfigMap& values) {
  const std::string_view name = "share.auto.offset.reset";
  const std::string* const value = values.find(name);
  if (value == nullptr || *value == "earliest" || *value == "latest") return std::nullopt;
  static const re2::RE2 duration(R"(by_duration:P(\d+D)?(T(\d+H)?(\d+M)?(\d+(\.\d{1,9})?S)?)?)");
  if (re2::RE2::FullMatch(*value, duration) && !value->ends_with('P') && !value->ends_with('T')) {
    return std::nullopt;
  }
  return fmt::format(
      "Invalid value {} for configuration {}: it must be earliest, latest, or "
      "by_duration:PnDTnHnMn.nS",
      shown(name, *value), name);
}

}  // namespace

std::optional<std::string> check_group_values(const ConfigLayers& layers,
                                              const metadata::ConfigMap& values) {
  if (auto why = check_bounds(layers, values)) return why;
  if (auto why = check_sessions(layers, values)) return why;
  return check_offset_reset(values);
}

}  // namespace chronik::broker
