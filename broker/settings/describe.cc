#include "broker/settings/describe.h"

#include <algorithm>

#include "broker/settings/value.h"

namespace chronik::broker {

namespace {

bool is_asked(const DescribeOptions& options, std::string_view name) {
  return options.keys.empty() ||
         std::find(options.keys.begin(), options.keys.end(), name) != options.keys.end();
}

ConfigEntry start_entry(const SettingDefinition& definition, std::string name,
                        const DescribeOptions& options) {
  ConfigEntry entry;
  entry.name = std::move(name);
  entry.sensitive = definition.sensitive();
  entry.type = static_cast<std::int8_t>(definition.type);
  if (options.documentation) entry.documentation = documentation(definition);
  return entry;
}

/// The ruling synonym gives the source. Secrets are taken out last, everywhere at once.
void finish_entry(ConfigEntry& entry, std::vector<ConfigSynonym> synonyms,
                  const DescribeOptions& options) {
  entry.source = synonyms.empty() ? ConfigSource::default_config : synonyms.front().source;
  if (entry.sensitive) {
    entry.value.reset();
    for (ConfigSynonym& synonym : synonyms) synonym.value.reset();
  }
  if (options.synonyms) entry.synonyms = std::move(synonyms);
}

/// Kafka's rule: level by level, each with all names of the unit family; then whatever comes before
/// the first mention of `name` itself is dropped.
std::vector<ConfigSynonym> broker_synonyms(std::string_view name, const ConfigLayers& layers) {
  const std::vector<std::string_view> names = unit_family(name);
  std::vector<ConfigSynonym> synonyms;
  const auto add_from = [&](const metadata::ConfigMap& layer, ConfigSource source) {
    for (const std::string_view one : names) {
      if (const std::string* value = layer.find(one)) {
        synonyms.push_back({std::string(one), *value, source});
      }
    }
  };
  add_from(layers.broker, ConfigSource::dynamic_broker);
  add_from(layers.cluster, ConfigSource::dynamic_default_broker);
  add_from(layers.at_start, ConfigSource::static_broker);
  for (const std::string_view one : names) {
    const SettingDefinition* const definition = broker_settings().find(one);
    if (definition == nullptr || !definition->default_value) continue;
    synonyms.push_back(
        {std::string(one), std::string(*definition->default_value), ConfigSource::default_config});
  }
  const auto first =
      std::find_if(synonyms.begin(), synonyms.end(),
                   [&](const ConfigSynonym& synonym) { return synonym.name == name; });
  synonyms.erase(synonyms.begin(), first);
  return synonyms;
}

ConfigEntry broker_entry(const SettingDefinition& definition, std::string_view name,
                         const ConfigLayers& layers, const DescribeOptions& options) {
  ConfigEntry entry = start_entry(definition, std::string(name), options);
  entry.value = layers.value(name);
  entry.read_only = definition.update == Update::read_only || definition.name != name;
  finish_entry(entry, broker_synonyms(name, layers), options);
  return entry;
}

/// The definition of a name that is in a layer but not in the table: a listener's own value, or a
/// throttle.
const SettingDefinition* find_extra(std::string_view name) {
  if (broker_settings().find(name) != nullptr) return nullptr;
  if (const SettingDefinition* found = find_broker_setting(name)) return found;
  return replication_throttle_settings().find(name);
}

struct Override {
  const metadata::ConfigMap& values;
  ConfigSource source;
};

/// Entries of a resource whose settings are overrides over what `inherit` gives.
template <class Inherit>
std::vector<ConfigEntry> describe_overrides(const SettingTable& table, const Override& overrides,
                                            const DescribeOptions& options,
                                            const Inherit& inherit) {
  std::vector<ConfigEntry> entries;
  for (const SettingDefinition* definition : table.rows()) {
    if (!is_asked(options, definition->name)) continue;
    ConfigEntry entry = start_entry(*definition, std::string(definition->name), options);
    std::vector<ConfigSynonym> synonyms = inherit(*definition, entry);
    if (const std::string* text = overrides.values.find(definition->name)) {
      Result<std::string> value = canonical_value(*definition, *text);
      if (value) {
        entry.value = *value;
        synonyms.insert(synonyms.begin(), {entry.name, std::move(value).value(), overrides.source});
      }
    }
    finish_entry(entry, std::move(synonyms), options);
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace

const char* to_string(ConfigSource source) {
  switch (source) {
    case ConfigSource::dynamic_topic:
      return "DYNAMIC_TOPIC_CONFIG";
    case ConfigSource::dynamic_broker:
      return "DYNAMIC_BROKER_CONFIG";
    case ConfigSource::dynamic_default_broker:
      return "DYNAMIC_DEFAULT_BROKER_CONFIG";
    case ConfigSource::static_broker:
      return "STATIC_BROKER_CONFIG";
    case ConfigSource::default_config:
      return "DEFAULT_CONFIG";
    case ConfigSource::dynamic_broker_logger:
      return "DYNAMIC_BROKER_LOGGER_CONFIG";
    case ConfigSource::client_metrics:
      return "DYNAMIC_CLIENT_METRICS_CONFIG";
    case ConfigSource::group:
      return "DYNAMIC_GROUP_CONFIG";
  }
  return "UNKNOWN";
}

std::vector<ConfigEntry> describe_broker(const ConfigLayers& layers,
                                         const DescribeOptions& options) {
  std::vector<ConfigEntry> entries;
  for (const SettingDefinition* definition : broker_settings().rows()) {
    if (!is_asked(options, definition->name)) continue;
    entries.push_back(broker_entry(*definition, definition->name, layers, options));
  }
  std::vector<std::string_view> extra;
  for (const metadata::ConfigMap* layer : {&layers.broker, &layers.cluster, &layers.at_start}) {
    for (const auto& [name, value] : *layer) {
      if (find_extra(name) != nullptr && is_asked(options, name)) extra.push_back(name);
    }
  }
  std::sort(extra.begin(), extra.end());
  extra.erase(std::unique(extra.begin(), extra.end()), extra.end());
  for (const std::string_view name : extra) {
    ConfigEntry entry = broker_entry(*find_extra(name), name, layers, options);
    entry.read_only = replication_throttle_settings().find(name) == nullptr;
    entries.push_back(std::move(entry));
  }
  std::sort(entries.begin(), entries.end(),
            [](const ConfigEntry& a, const ConfigEntry& b) { return a.name < b.name; });
  return entries;
}

std::vector<ConfigEntry> describe_cluster_defaults(const ConfigLayers& layers,
                                                   const DescribeOptions& options) {
  std::vector<ConfigEntry> entries;
  for (const auto& [name, value] : layers.cluster) {
    if (!is_asked(options, name)) continue;
    const SettingDefinition* definition = find_extra(name);
    if (definition == nullptr) definition = broker_settings().find(name);
    if (definition == nullptr) continue;
    ConfigEntry entry = start_entry(*definition, name, options);
    entry.value = value;
    finish_entry(entry, {{name, value, ConfigSource::dynamic_default_broker}}, options);
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::vector<ConfigEntry> describe_group(const ConfigLayers& layers,
                                        const metadata::ConfigMap& overrides,
                                        const DescribeOptions& options) {
  return describe_overrides(
      group_settings(), {overrides, ConfigSource::group}, options,
      [&](const SettingDefinition& definition, ConfigEntry& entry) {
        entry.value = inherited_group_value(definition, layers);
        const std::string_view from = group_inherited_from(definition.name);
        if (!from.empty()) return broker_synonyms(from, layers);
        return std::vector<ConfigSynonym>{{entry.name, entry.value, ConfigSource::default_config}};
      });
}

std::vector<ConfigEntry> describe_client_metrics(const metadata::ConfigMap& overrides,
                                                 const DescribeOptions& options) {
  return describe_overrides(client_metrics_settings(), {overrides, ConfigSource::client_metrics},
                            options, [](const SettingDefinition& definition, ConfigEntry& entry) {
                              if (definition.default_value) {
                                entry.value = std::string(*definition.default_value);
                              }
                              return std::vector<ConfigSynonym>();
                            });
}

TopicDescriber::TopicDescriber(const ConfigLayers& layers, bool synonyms, bool documentation)
    : synonyms_(synonyms) {
  const DescribeOptions options{.keys = {}, .synonyms = synonyms, .documentation = documentation};
  inherited_ = describe_overrides(topic_settings(), {{}, ConfigSource::dynamic_topic}, options,
                                  [&](const SettingDefinition& definition, ConfigEntry& entry) {
                                    entry.value = inherited_value(definition, layers);
                                    const auto from = inherited_from(definition.name);
                                    return from.empty()
                                               ? std::vector<ConfigSynonym>()
                                               : broker_synonyms(from.front().broker_name, layers);
                                  });
}

std::vector<ConfigEntry> TopicDescriber::describe(const metadata::ConfigMap& overrides,
                                                  std::span<const std::string> keys) const {
  const DescribeOptions options{.keys = keys};
  std::vector<ConfigEntry> entries;
  for (std::size_t i = 0; i < inherited_.size(); ++i) {
    const SettingDefinition& definition = *topic_settings().rows()[i];
    if (!is_asked(options, definition.name)) continue;
    ConfigEntry& entry = entries.emplace_back(inherited_[i]);
    const std::string* const text = overrides.find(definition.name);
    if (text == nullptr) continue;
    Result<std::string> value = canonical_value(definition, *text);
    if (!value) continue;
    entry.value = std::move(value).value();
    entry.source = ConfigSource::dynamic_topic;
    if (synonyms_) {
      entry.synonyms.insert(entry.synonyms.begin(), {entry.name, entry.value, entry.source});
    }
  }
  return entries;
}

}  // namespace chronik::broker
