#include "broker/settings/alter.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <set>

#include "broker/settings/client_metrics.h"
#include "broker/settings/group_rules.h"
#include "broker/settings/settings.h"
#include "broker/settings/value.h"

namespace chronik::broker {

namespace {

using protocol::ErrorCode;
using Operation = ConfigChange::Operation;
using Refusal = std::optional<ConfigRefusal>;

std::string wrong_value(std::string_view name, std::string_view value, std::string_view reason) {
  return fmt::format("Invalid value {} for configuration {}: {}", shown(name, value), name, reason);
}

std::string join(const std::vector<std::string>& names) { return "[" + join_list(names) + "]"; }

/// What all kinds of resources have in common; a kind says what is special about it.
class Alteration {
 public:
  virtual ~Alteration() = default;

  ConfigOutcome run(const metadata::ConfigMap& current, std::span<const ConfigChange> changes,
                    AlterMode mode) {
    if (Refusal refusal = check_form(changes)) return *refusal;
    std::vector<ConfigUpdate> updates;
    for (const ConfigChange& change : changes) {
      if (change.operation == Operation::remove) {
        updates.push_back({change.name, std::nullopt});
        continue;
      }
      auto taken = take(current, change);
      if (auto* refusal = std::get_if<ConfigRefusal>(&taken)) return std::move(*refusal);
      updates.push_back({change.name, std::move(std::get<std::string>(taken))});
    }
    if (Refusal refusal = check_names(updates)) return *refusal;
    if (Refusal refusal = check_whole(updated(current, updates, mode))) return *refusal;
    return updates;
  }

 protected:
  /// Null for a name that this kind does not have.
  virtual const SettingDefinition* find(std::string_view name) const = 0;
  virtual ConfigRefusal unknown(std::string_view name) const = 0;
  /// The code of a value that breaks its rule.
  virtual ErrorCode value_code() const { return ErrorCode::invalid_config; }
  /// The value without an override: what is appended to.
  virtual std::optional<std::string> inherited(const SettingDefinition& definition) const = 0;
  virtual Refusal check_names(const std::vector<ConfigUpdate>&) const { return std::nullopt; }
  virtual Refusal check_whole(const metadata::ConfigMap&) const { return std::nullopt; }

 private:
  static Refusal check_form(std::span<const ConfigChange> changes) {
    std::set<std::string_view> names;
    for (const ConfigChange& change : changes) {
      if (!names.insert(change.name).second) {
        return ConfigRefusal{ErrorCode::invalid_request, "Error due to duplicate config keys"};
      }
    }
    std::vector<std::string> nulls;
    for (const ConfigChange& change : changes) {
      if (change.operation < Operation::set || change.operation > Operation::subtract) {
        return ConfigRefusal{ErrorCode::invalid_request,
                             fmt::format("Unknown config operation {} for {}",
                                         static_cast<int>(change.operation), change.name)};
      }
      if (change.operation != Operation::remove && !change.value) nulls.push_back(change.name);
    }
    if (!nulls.empty()) {
      return ConfigRefusal{ErrorCode::invalid_request,
                           fmt::format("Null value not supported for : {}", join_list(nulls))};
    }
    return std::nullopt;
  }

  std::variant<std::string, ConfigRefusal> take(const metadata::ConfigMap& current,
                                                const ConfigChange& change) const {
    const SettingDefinition* const definition = find(change.name);
    std::string text = *change.value;
    if (change.operation == Operation::append || change.operation == Operation::subtract) {
      const bool append = change.operation == Operation::append;
      if (definition == nullptr || definition->type != SettingType::list) {
        return ConfigRefusal{ErrorCode::invalid_config,
                             fmt::format("Can't {} to key {} because its type is not LIST.",
                                         append ? "APPEND" : "SUBTRACT", change.name)};
      }
      text = merge(current, *definition, change);
    }
    if (definition == nullptr) return unknown(change.name);
    Result<std::string> canonical = canonical_value(*definition, text);
    if (canonical) return std::move(canonical).value();
    return ConfigRefusal{value_code(), wrong_value(change.name, text, canonical.error().message)};
  }

  std::string merge(const metadata::ConfigMap& current, const SettingDefinition& definition,
                    const ConfigChange& change) const {
    const std::string* const own = current.find(change.name);
    std::vector<std::string> parts =
        split_list(own != nullptr ? *own : inherited(definition).value_or(""));
    for (const std::string& part : split_list(*change.value)) {
      const auto at = std::find(parts.begin(), parts.end(), part);
      if (change.operation == Operation::append) {
        if (at == parts.end()) parts.push_back(part);
      } else if (at != parts.end()) {
        parts.erase(at);
      }
    }
    return join_list(parts);
  }
};

class TopicAlteration final : public Alteration {
 public:
  explicit TopicAlteration(const LiveConfig& live) : live_(live) {}

 private:
  const SettingDefinition* find(std::string_view name) const override {
    return topic_settings().find(name);
  }

  ConfigRefusal unknown(std::string_view name) const override {
    std::string message = fmt::format("Unknown topic config name: {}", name);
    std::string_view meant;
    for (const SettingDefinition* row : topic_settings().rows()) {
      for (const InheritedFrom& from : inherited_from(row->name)) {
        if (from.broker_name == name) meant = row->name;
      }
    }
    if (meant.empty()) meant = topic_settings().nearest(name);
    if (!meant.empty()) message += fmt::format("; did you mean {}?", meant);
    return {ErrorCode::invalid_config, std::move(message)};
  }

  std::optional<std::string> inherited(const SettingDefinition& definition) const override {
    return inherited_value(definition, live_.layers);
  }

  Refusal check_whole(const metadata::ConfigMap& values) const override {
    const std::string* const tiered = values.find("remote.storage.enable");
    if (tiered != nullptr && *tiered == "true") {
      return ConfigRefusal{ErrorCode::invalid_config,
                           "Tiered Storage functionality is disabled in the broker. Topic cannot "
                           "be configured with remote log storage."};
    }
    const TopicSettings& defaults = live_.settings.topic_defaults;
    const Result<> checked = check_topic_settings(resolve_topic_settings(defaults, values));
    if (checked) return std::nullopt;
    return ConfigRefusal{ErrorCode::invalid_config, checked.error().message};
  }

  const LiveConfig& live_;
};

class BrokerAlteration final : public Alteration {
 public:
  BrokerAlteration(const ConfigLayers& layers, bool whole_cluster)
      : layers_(layers), whole_cluster_(whole_cluster) {}

 private:
  const SettingDefinition* find(std::string_view name) const override {
    const SettingDefinition* const found = find_broker_setting(name);
    return found != nullptr ? found : replication_throttle_settings().find(name);
  }

  ConfigRefusal unknown(std::string_view name) const override {
    std::string message = fmt::format("Unknown broker config name: {}", name);
    const auto inherited = inherited_from(name);
    const std::string_view meant =
        inherited.empty() ? broker_settings().nearest(name) : inherited[0].broker_name;
    if (!meant.empty()) message += fmt::format("; did you mean {}?", meant);
    return {ErrorCode::invalid_config, std::move(message)};
  }

  ErrorCode value_code() const override { return ErrorCode::invalid_request; }

  std::optional<std::string> inherited(const SettingDefinition& definition) const override {
    ConfigLayers below = layers_;
    below.broker = {};
    if (whole_cluster_) below.cluster = {};
    return below.value(definition.name);
  }

  /// Which names may be set here at all; deleting is always fine.
  Refusal check_names(const std::vector<ConfigUpdate>& updates) const override {
    std::vector<std::string> fixed, per_broker, per_listener;
    for (const ConfigUpdate& update : updates) {
      if (!update.value) continue;
      const SettingDefinition& definition = *find(update.name);
      const bool of_listener = definition.name != update.name;
      if (definition.update == Update::read_only) fixed.push_back(update.name);
      if (definition.update == Update::per_broker) per_broker.push_back(update.name);
      if (is_store_of_keys(definition.name) && !of_listener) per_listener.push_back(update.name);
    }
    if (!fixed.empty()) {
      return ConfigRefusal{ErrorCode::invalid_request,
                           fmt::format("Cannot update these configs dynamically: {}; set them in "
                                       "the file, the environment or on the command line, and "
                                       "restart",
                                       join(fixed))};
    }
    if (!per_listener.empty()) {
      return ConfigRefusal{ErrorCode::invalid_request,
                           fmt::format("These security configs can be dynamically updated only "
                                       "per-listener using the listener prefix: {}",
                                       join(per_listener))};
    }
    if (whole_cluster_ && !per_broker.empty()) {
      return ConfigRefusal{ErrorCode::invalid_request,
                           fmt::format("Cannot update these configs at default cluster level, "
                                       "broker id must be specified: {}",
                                       join(per_broker))};
    }
    return std::nullopt;
  }

  /// Key and trust stores belong to a listener (Kafka's rule).
  static bool is_store_of_keys(std::string_view name) {
    return name.starts_with("ssl.keystore.") || name.starts_with("ssl.truststore.") ||
           name == "ssl.key.password";
  }

  Refusal check_whole(const metadata::ConfigMap& values) const override {
    ConfigLayers after = layers_;
    (whole_cluster_ ? after.cluster : after.broker) = usable_dynamic_values(values);
    const auto made = make_settings(after);
    const auto* const problem = std::get_if<SettingProblem>(&made);
    if (problem == nullptr) return std::nullopt;
    return ConfigRefusal{
        ErrorCode::invalid_request,
        wrong_value(problem->name, after.value(problem->name).value_or("null"), problem->reason)};
  }

  const ConfigLayers& layers_;
  const bool whole_cluster_;
};

class GroupAlteration final : public Alteration {
 public:
  explicit GroupAlteration(const ConfigLayers& layers) : layers_(layers) {}

 private:
  const SettingDefinition* find(std::string_view name) const override {
    return group_settings().find(name);
  }

  ConfigRefusal unknown(std::string_view name) const override {
    std::string message = fmt::format("Unknown group config name: {}", name);
    const std::string_view meant = group_settings().nearest(name);
    if (!meant.empty()) message += fmt::format("; did you mean {}?", meant);
    return {ErrorCode::invalid_config, std::move(message)};
  }

  std::optional<std::string> inherited(const SettingDefinition& definition) const override {
    return inherited_group_value(definition, layers_);
  }

  Refusal check_whole(const metadata::ConfigMap& values) const override {
    if (auto why = check_group_values(layers_, values)) {
      return ConfigRefusal{ErrorCode::invalid_config, std::move(*why)};
    }
    return std::nullopt;
  }

  const ConfigLayers& layers_;
};

class ClientMetricsAlteration final : public Alteration {
  const SettingDefinition* find(std::string_view name) const override {
    return client_metrics_settings().find(name);
  }

  ConfigRefusal unknown(std::string_view name) const override {
    return {ErrorCode::invalid_request,
            fmt::format("Unknown client metrics configuration: {}", name)};
  }

  ErrorCode value_code() const override { return ErrorCode::invalid_request; }

  std::optional<std::string> inherited(const SettingDefinition& definition) const override {
    return std::string(definition.default_value.value_or(""));
  }

  Refusal check_whole(const metadata::ConfigMap& values) const override {
    if (const std::string* interval = values.find("interval.ms")) {
      if (auto why = check_push_interval(*interval)) {
        return ConfigRefusal{ErrorCode::invalid_request, std::move(*why)};
      }
    }
    if (const std::string* match = values.find("match")) {
      if (auto why = check_client_match(*match)) {
        return ConfigRefusal{ErrorCode::invalid_config, std::move(*why)};
      }
    }
    return std::nullopt;
  }
};

}  // namespace

ConfigOutcome alter_topic(const LiveConfig& live, const metadata::ConfigMap& current,
                          std::span<const ConfigChange> changes, AlterMode mode) {
  return TopicAlteration(live).run(current, changes, mode);
}

ConfigOutcome alter_broker(const ConfigLayers& layers, std::span<const ConfigChange> changes,
                           AlterMode mode) {
  return BrokerAlteration(layers, false).run(layers.broker, changes, mode);
}

ConfigOutcome alter_cluster_defaults(const ConfigLayers& layers,
                                     std::span<const ConfigChange> changes, AlterMode mode) {
  return BrokerAlteration(layers, true).run(layers.cluster, changes, mode);
}

ConfigOutcome alter_group(const ConfigLayers& layers, const metadata::ConfigMap& current,
                          std::span<const ConfigChange> changes, AlterMode mode) {
  return GroupAlteration(layers).run(current, changes, mode);
}

ConfigOutcome alter_client_metrics(const metadata::ConfigMap& current,
                                   std::span<const ConfigChange> changes, AlterMode mode) {
  return ClientMetricsAlteration().run(current, changes, mode);
}

ConfigOutcome check_new_topic(const LiveConfig& live, std::span<const ConfigUpdate> configs) {
  if (configs.empty()) return std::vector<ConfigUpdate>();
  std::vector<ConfigChange> changes;
  std::vector<std::string> nulls;
  for (const ConfigUpdate& config : configs) {
    if (!config.value) nulls.push_back(config.name);
    changes.push_back({config.name, Operation::set, config.value});
  }
  if (!nulls.empty()) {
    return ConfigRefusal{
        ErrorCode::invalid_config,
        fmt::format("Null value not supported for topic configs: {}", join_list(nulls))};
  }
  return TopicAlteration(live).run({}, changes, AlterMode::replace);
}

metadata::ConfigMap updated(const metadata::ConfigMap& current,
                            std::span<const ConfigUpdate> updates, AlterMode mode) {
  metadata::ConfigMap result = mode == AlterMode::replace ? metadata::ConfigMap{} : current;
  for (const ConfigUpdate& update : updates) {
    if (update.value) {
      result.set(update.name, *update.value);
    } else {
      result.erase(update.name);
    }
  }
  return result;
}

}  // namespace chronik::broker
