#include "broker/settings/client_metrics.h"

#include <re2/re2.h>
#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "broker/settings/value.h"

namespace chronik::broker {

namespace {

constexpr std::string_view selectors[] = {"client_instance_id",    "client_id",
                                          "client_software_name",  "client_software_version",
                                          "client_source_address", "client_source_port"};

constexpr std::int64_t interval_ms_min = 100;
constexpr std::int64_t interval_ms_max = 3'600'000;

}  // namespace

std::optional<std::string> check_push_interval(std::string_view interval_ms) {
  const std::int64_t value = as_int64(interval_ms);
  if (value >= interval_ms_min && value <= interval_ms_max) return std::nullopt;
  return fmt::format(
      "Invalid value {} for interval.ms, interval must be between {} and {} (1 hour)", value,
      interval_ms_min, interval_ms_max);
}

std::optional<std::string> check_client_match(std::string_view match) {
  for (const std::string& entry : split_list(match)) {
    const std::size_t equals = entry.find('=');
    const std::string_view selector = trim(std::string_view(entry).substr(0, equals));
    const bool known =
        std::find(std::begin(selectors), std::end(selectors), selector) != std::end(selectors);
    if (equals == std::string::npos || !known) {
      return fmt::format("Illegal client matching pattern: {}", entry);
    }
    const re2::RE2 pattern(trim(std::string_view(entry).substr(equals + 1)), re2::RE2::Quiet);
    if (!pattern.ok()) return fmt::format("Illegal client matching pattern: {}", entry);
  }
  return std::nullopt;
}

}  // namespace chronik::broker
