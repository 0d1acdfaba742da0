// The short words in which the rows of the tables are written. Only for the table_*.cc files and
// table.cc.
#pragma once

#include <span>

#include "broker/settings/definition.h"

namespace chronik::broker::rows {

using enum SettingType;
using enum Effect;
using enum Update;

inline constexpr std::nullopt_t null = std::nullopt;
inline constexpr std::string_view int64_max = "9223372036854775807";

inline constexpr Rule any{};
inline constexpr Rule not_empty{.kind = Rule::Kind::not_empty};
inline constexpr Rule replicas{.kind = Rule::Kind::replicas};

constexpr Rule at_least(std::int64_t min) { return {.kind = Rule::Kind::range, .min = min}; }
constexpr Rule between(std::int64_t min, std::int64_t max) {
  return {.kind = Rule::Kind::range, .min = min, .max = max};
}
constexpr Rule between_or_minus_one(std::int64_t min, std::int64_t max) {
  return {.kind = Rule::Kind::range_or_minus_one, .min = min, .max = max};
}
constexpr Rule one_of(std::string_view choices) {
  return {.kind = Rule::Kind::one_of, .choices = choices};
}
constexpr Rule one_of_ignoring_case(std::string_view choices) {
  return {.kind = Rule::Kind::one_of_ignoring_case, .choices = choices};
}
constexpr Rule each_one_of(std::string_view choices) {
  return {.kind = Rule::Kind::each_one_of, .choices = choices};
}

// One function a file, named as the file.
std::span<const SettingDefinition> network();
std::span<const SettingDefinition> topic_defaults();
std::span<const SettingDefinition> group_coordinator();
std::span<const SettingDefinition> share_and_streams();
std::span<const SettingDefinition> cluster();
std::span<const SettingDefinition> transactions();
std::span<const SettingDefinition> remote_storage();
std::span<const SettingDefinition> security();
std::span<const SettingDefinition> own();
std::span<const SettingDefinition> replication_throttles();
std::span<const SettingDefinition> topics();
std::span<const SettingDefinition> groups();
std::span<const SettingDefinition> client_metrics();

}  // namespace chronik::broker::rows
