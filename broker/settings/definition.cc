#include "broker/settings/definition.h"

#include <spdlog/fmt/fmt.h>

namespace chronik::broker {

const char* to_string(SettingType type) {
  switch (type) {
    case SettingType::boolean:
      return "BOOLEAN";
    case SettingType::text:
      return "STRING";
    case SettingType::int32:
      return "INT";
    case SettingType::int16:
      return "SHORT";
    case SettingType::int64:
      return "LONG";
    case SettingType::float64:
      return "DOUBLE";
    case SettingType::list:
      return "LIST";
    case SettingType::class_name:
      return "CLASS";
    case SettingType::password:
      return "PASSWORD";
  }
  return "UNKNOWN";
}

std::string describe(const Rule& rule) {
  switch (rule.kind) {
    case Rule::Kind::any:
      return {};
    case Rule::Kind::range:
      if (rule.max == std::numeric_limits<std::int64_t>::max()) {
        return fmt::format("at least {}", rule.min);
      }
      return fmt::format("{} to {}", rule.min, rule.max);
    case Rule::Kind::range_or_minus_one:
      return fmt::format("{} to {}, or -1", rule.min, rule.max);
    case Rule::Kind::one_of:
      return fmt::format("one of {}", rule.choices);
    case Rule::Kind::one_of_ignoring_case:
      return fmt::format("one of {}, in any case", rule.choices);
    case Rule::Kind::each_one_of:
      return fmt::format("any of {}", rule.choices);
    case Rule::Kind::not_empty:
      return "not empty";
    case Rule::Kind::replicas:
      return "*, or a list of partition:broker";
  }
  return {};
}

std::string documentation(const SettingDefinition& definition) {
  std::string text(definition.doc);
  if (definition.effect == Effect::listed) text += " Listed for tools; no effect in chronik.";
  return text;
}

}  // namespace chronik::broker
