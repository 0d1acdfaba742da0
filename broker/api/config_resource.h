// The resources of the config APIs: their type numbers (Kafka's ConfigResource.Type) and what their
// names must be. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/log.h"
#include "base/types.h"

namespace chronik::broker {

enum class ResourceType : std::int8_t {
  topic = 2,
  broker = 4,
  broker_logger = 8,
  client_metrics = 16,
  group = 32,
};

/// Nothing for the numbers of no resource.
std::optional<ResourceType> resource_type(std::int8_t number);

/// A broker's id as its resource is named; nothing when it is no int32.
std::optional<BrokerId> parse_broker_id(std::string_view name);

/// The only logger there is; its level is that of all lines.
inline constexpr std::string_view root_logger = "root";

/// The level of all lines as Kafka's tools write it: DEBUG, INFO, WARN, ERROR.
std::string_view current_log_level();

/// Of Kafka's six levels: TRACE counts as DEBUG, FATAL as ERROR. Nothing for any other word.
std::optional<LogLevel> parse_log_level(std::string_view level);

}  // namespace chronik::broker
