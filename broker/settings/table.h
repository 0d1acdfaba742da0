// The tables of settings: all that Kafka 4.4 knows of brokers, topics, groups and client metrics,
// plus our own (chronik.*, cluster.*, node.role). One row each (definition.h), in files by role
// (table_*.cc). Everything about a setting that is not its effect is read from here: parsing,
// DescribeConfigs, changes at run time, `chronik config list`, configs/broker.properties.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "broker/settings/definition.h"

namespace chronik::broker {

/// One table, sorted by name.
class SettingTable {
 public:
  explicit SettingTable(std::initializer_list<std::span<const SettingDefinition>> parts);

  const std::vector<const SettingDefinition*>& rows() const { return rows_; }
  /// Null when there is no such name.
  const SettingDefinition* find(std::string_view name) const;
  /// The name most like `name`; empty when none is near.
  std::string_view nearest(std::string_view name) const;

 private:
  std::vector<const SettingDefinition*> rows_;
};

const SettingTable& broker_settings();
const SettingTable& topic_settings();
const SettingTable& group_settings();
const SettingTable& client_metrics_settings();
/// Broker settings that exist at run time only and are shown only once set.
const SettingTable& replication_throttle_settings();

/// The definition behind a broker setting's name as files and requests may write it: the name
/// itself, or a listener's own value of one (listener.name.<listener>[.<mechanism>].<setting>).
/// Null when there is none.
const SettingDefinition* find_broker_setting(std::string_view name);

/// The setting behind the listener prefix, or `name` itself.
std::string_view without_listener_prefix(std::string_view name);

/// How many changes of a character (insert, remove, replace, swap of neighbours) make `b` of `a`,
/// or `limit` + 1 when it is more than `limit`.
std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t limit);

/// Whether a broker setting is ours and not one of Kafka's.
bool is_own_setting(std::string_view name);

/// Why a key that was once Kafka's, or is internal to it, is accepted in a file without any effect;
/// empty for every other key.
std::string_view why_ignored(std::string_view name);

/// A broker setting from which a topic setting inherits, and what one of its units is worth in the
/// topic setting's.
struct InheritedFrom {
  std::string_view broker_name;
  std::int64_t factor = 1;
};
/// In the order of precedence; empty when the topic setting has a default of its own.
std::span<const InheritedFrom> inherited_from(std::string_view topic_name);

/// The broker setting from which a group setting inherits; empty when it has a default of its own.
std::string_view group_inherited_from(std::string_view group_name);

/// Names that set the same thing in different units, the first one going before the next
/// (log.retention.ms, .minutes, .hours); `name` alone for every other setting.
std::vector<std::string_view> unit_family(std::string_view name);

}  // namespace chronik::broker
