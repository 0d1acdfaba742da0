#include "broker/settings/layers.h"

#include "broker/settings/value.h"

namespace chronik::broker {

namespace {

std::optional<std::string> optional_text(std::optional<std::string_view> text) {
  if (!text) return std::nullopt;
  return std::string(*text);
}

/// `value`, a whole number, in a unit `factor` times as big; -1 (no limit) stays.
std::string multiply(std::string_view value, std::int64_t factor) {
  const std::int64_t number = as_int64(value);
  if (factor == 1 || number < 0) return std::string(value);
  std::int64_t product = 0;
  const bool overflow = __builtin_mul_overflow(number, factor, &product);
  return std::to_string(overflow ? std::numeric_limits<std::int64_t>::max() : product);
}

}  // namespace

std::optional<std::string> ConfigLayers::value(std::string_view name) const {
  for (const metadata::ConfigMap* layer : {&broker, &cluster, &at_start}) {
    if (const std::string* found = layer->find(name)) return *found;
  }
  const SettingDefinition* const definition = find_broker_setting(name);
  // A listener's own value has no default: the setting without the prefix rules.
  if (definition == nullptr || definition->name != name) return std::nullopt;
  return optional_text(definition->default_value);
}

metadata::ConfigMap usable_dynamic_values(const metadata::ConfigMap& stored) {
  metadata::ConfigMap usable;
  for (const auto& [name, value] : stored) {
    const SettingDefinition* definition = find_broker_setting(name);
    if (definition == nullptr) definition = replication_throttle_settings().find(name);
    if (definition == nullptr || definition->update == Update::read_only) continue;
    Result<std::string> canonical = canonical_value(*definition, value);
    if (canonical) usable.set(name, std::move(canonical).value());
  }
  return usable;
}

std::optional<std::string> inherited_value(const SettingDefinition& topic_setting,
                                           const ConfigLayers& layers) {
  for (const InheritedFrom& from : inherited_from(topic_setting.name)) {
    const std::optional<std::string> value = layers.value(from.broker_name);
    if (!value) continue;
    return from.factor == 1 ? *value : multiply(*value, from.factor);
  }
  return optional_text(topic_setting.default_value);
}

std::optional<std::string> inherited_group_value(const SettingDefinition& group_setting,
                                                 const ConfigLayers& layers) {
  const std::string_view broker_name = group_inherited_from(group_setting.name);
  if (broker_name.empty()) return optional_text(group_setting.default_value);
  std::optional<std::string> value = layers.value(broker_name);
  // The broker lists the assignors there are, the first being the default.
  if (value && group_setting.type != SettingType::list) value = value->substr(0, value->find(','));
  return value;
}

}  // namespace chronik::broker
