#include "broker/api/config_resource.h"

#include <charconv>

namespace chronik::broker {

std::optional<ResourceType> resource_type(std::int8_t number) {
  switch (static_cast<ResourceType>(number)) {
    case ResourceType::topic:
    case ResourceType::broker:
    case ResourceType::broker_logger:
    case ResourceType::client_metrics:
    case ResourceType::group:
      return static_cast<ResourceType>(number);
  }
  return std::nullopt;
}

std::optional<BrokerId> parse_broker_id(std::string_view name) {
  BrokerId id = 0;
  const char* const end = name.data() + name.size();
  const auto parsed = std::from_chars(name.data(), end, id);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return id;
}

std::string_view current_log_level() {
  if (log_enabled(LogLevel::debug)) return "DEBUG";
  if (log_enabled(LogLevel::info)) return "INFO";
  if (log_enabled(LogLevel::warn)) return "WARN";
  return "ERROR";
}

std::optional<LogLevel> parse_log_level(std::string_view level) {
  if (level == "TRACE" || level == "DEBUG") return LogLevel::debug;
  if (level == "INFO") return LogLevel::info;
  if (level == "WARN") return LogLevel::warn;
  if (level == "ERROR" || level == "FATAL") return LogLevel::error;
  return std::nullopt;
}

}  // namespace chronik::broker
