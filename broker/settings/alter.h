// Changes of settings at run time, judged before they are proposed: what IncrementalAlterConfigs
// (KIP-339), AlterConfigs and CreateTopics ask for becomes canonical values to set and names to
// delete, or a refusal with Kafka's error code and a message that says which key, which value,
// which rule. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "broker/settings/settings.h"
#include "protocol/errors.h"

namespace chronik::broker {

/// One change as a request writes it.
struct ConfigChange {
  /// The numbers are those of the protocol; a request may carry any other one.
  enum class Operation : std::int8_t { set = 0, remove = 1, append = 2, subtract = 3 };
  std::string name;
  Operation operation = Operation::set;
  std::optional<std::string> value;
};

/// One change as it is proposed: a canonical value, or none to delete.
struct ConfigUpdate {
  std::string name;
  std::optional<std::string> value;
  bool operator==(const ConfigUpdate&) const = default;
};

struct ConfigRefusal {
  protocol::ErrorCode code = protocol::ErrorCode::invalid_config;
  std::string message;
};

using ConfigOutcome = std::variant<std::vector<ConfigUpdate>, ConfigRefusal>;

/// How the changes are meant.
enum class AlterMode {
  incremental,  // what is not named stays
  replace,      // what is not named goes (AlterConfigs)
};

/// `current` are the overrides that the resource has. The updates keep the order of the changes;
/// under `replace` they name only what is set.
ConfigOutcome alter_topic(const LiveConfig& live, const metadata::ConfigMap& current,
                          std::span<const ConfigChange> changes, AlterMode mode);
/// Of this broker: layers.broker is what it has.
ConfigOutcome alter_broker(const ConfigLayers& layers, std::span<const ConfigChange> changes,
                           AlterMode mode);
/// Of all brokers: layers.cluster is what there is.
ConfigOutcome alter_cluster_defaults(const ConfigLayers& layers,
                                     std::span<const ConfigChange> changes, AlterMode mode);
ConfigOutcome alter_group(const ConfigLayers& layers, const metadata::ConfigMap& current,
                          std::span<const ConfigChange> changes, AlterMode mode);
ConfigOutcome alter_client_metrics(const metadata::ConfigMap& current,
                                   std::span<const ConfigChange> changes, AlterMode mode);

/// The configs of a CreateTopics request; a null value is refused as there.
ConfigOutcome check_new_topic(const LiveConfig& live, std::span<const ConfigUpdate> configs);

/// What the resource has once the updates are made.
metadata::ConfigMap updated(const metadata::ConfigMap& current,
                            std::span<const ConfigUpdate> updates, AlterMode mode);

}  // namespace chronik::broker
