// ConfigLayers: where the values of broker settings come from, and which of them rules: the dynamic
// value of this broker, then the cluster's dynamic default, then what was given at start (flag >
// environment > file), then the default of the table (KIP-226). All values are canonical text
// (value.h). A plain value; a new one is made when the metadata image's broker configs change.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "broker/settings/table.h"
#include "metadata/config_map.h"

namespace chronik::broker {

struct ConfigLayers {
  metadata::ConfigMap at_start;
  metadata::ConfigMap cluster;  // dynamic, all brokers
  metadata::ConfigMap broker;   // dynamic, this broker

  /// The ruling value; nothing when it is null (no value anywhere and no default).
  std::optional<std::string> value(std::string_view name) const;
};

/// What of `stored` may rule: known, changeable at run time, valid. The rest (another version wrote
/// it) is left out.
metadata::ConfigMap usable_dynamic_values(const metadata::ConfigMap& stored);

/// The text that a topic setting has without an override; nothing when it is null.
std::optional<std::string> inherited_value(const SettingDefinition& topic_setting,
                                           const ConfigLayers& layers);

/// The text that a group setting has without an override; nothing when it is null.
std::optional<std::string> inherited_group_value(const SettingDefinition& group_setting,
                                                 const ConfigLayers& layers);

}  // namespace chronik::broker
