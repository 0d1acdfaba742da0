#include "broker/settings/start_config.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>

#include "broker/settings/environment.h"
#include "broker/settings/properties.h"
#include "broker/settings/table.h"
#include "broker/settings/value.h"

namespace chronik::broker {

namespace {

struct Given {
  std::string key;
  std::string value;
  std::string place;
};

Error bad(const Given& given, std::string_view why) {
  return Error{Errc::invalid_argument, fmt::format("{}: {}={}: {}", given.place, given.key,
                                                   shown(given.key, given.value), why)};
}

/// What the user may have meant. A topic's name in a broker's file is the usual mistake.
std::string suggestion(std::string_view key) {
  const auto inherited = inherited_from(key);
  const std::string_view nearest =
      inherited.empty() ? broker_settings().nearest(key) : inherited[0].broker_name;
  if (nearest.empty()) return "unknown setting; `chronik config list` prints all";
  return fmt::format("unknown setting; did you mean {}?", nearest);
}

// Kinds of names that set the same thing: one that a higher source sets puts those of lower sources
// out of force, so that --log.retention.hours=1 rules over log.retention.ms in the file.
std::vector<std::string_view> same_thing(std::string_view key) {
  if (key == "log.dir" || key == "log.dirs") return {"log.dir", "log.dirs"};
  if (key == "node.id" || key == "broker.id") return {"node.id", "broker.id"};
  return unit_family(key);
}

class Collector {
 public:
  /// Call with the lowest source first.
  Result<> add(const std::vector<Given>& source) {
    std::vector<std::pair<const Given*, std::string>> accepted;
    for (const Given& given : source) {
      if (const std::string_view why = why_ignored(given.key); !why.empty()) {
        config_.warnings.push_back(
            fmt::format("{}: {} is ignored: {}", given.place, given.key, why));
        continue;
      }
      const SettingDefinition* const definition = find_broker_setting(given.key);
      if (definition == nullptr) return bad(given, suggestion(given.key));
      Result<std::string> canonical = canonical_value(*definition, given.value);
      if (!canonical) return bad(given, canonical.error().message);
      accepted.emplace_back(&given, std::move(canonical).value());
    }
    for (const auto& [given, value] : accepted) {
      for (const std::string_view name : same_thing(given->key)) {
        config_.values.erase(name);
        config_.places.erase(std::string(name));
      }
    }
    for (auto& [given, value] : accepted) {
      config_.values.set(given->key, std::move(value));
      config_.places[given->key] = given->place;
    }
    return {};
  }

  Result<StartConfig> finish(const std::string& host_name) {
    TRY(number_node(host_name));
    TRY(join_ids());
    replicate_by_default();
    return std::move(config_);
  }

 private:
  /// In a cluster the default of node.id would make all nodes one and the same.
  Result<> number_node(const std::string& host_name) {
    const std::string* const nodes = config_.values.find("cluster.nodes");
    if (nodes == nullptr || nodes->empty() || config_.values.find("node.id") != nullptr ||
        config_.values.find("broker.id") != nullptr) {
      return {};
    }
    TRY_ASSIGN(const BrokerId id, node_id_of_host(host_name));
    config_.values.set("node.id", std::to_string(id));
    config_.places["node.id"] = fmt::format("host name {}", host_name);
    return {};
  }

  /// Where there are nodes enough, topics are replicated unless somebody says otherwise.
  void replicate_by_default() {
    const std::string* const nodes = config_.values.find("cluster.nodes");
    const char* const key = "default.replication.factor";
    if (nodes == nullptr || nodes->empty() || config_.values.find(key) != nullptr) return;
    const auto count = 1 + std::ranges::count(*nodes, ',');
    if (count < 3) return;
    config_.values.set(key, "3");
    config_.places[key] = "cluster.nodes";
  }

  /// broker.id is node.id by another name; both are shown, as Kafka does.
  Result<> join_ids() {
    const std::string* const node = config_.values.find("node.id");
    const std::string* const broker = config_.values.find("broker.id");
    if (node != nullptr && broker != nullptr && *node != *broker) {
      return bad({"broker.id", *broker, config_.places["broker.id"]},
                 fmt::format("must equal node.id, which is {}", *node));
    }
    if (node == nullptr && broker != nullptr && as_int64(*broker) < 0) {
      return bad({"broker.id", *broker, config_.places["broker.id"]}, "must not be negative");
    }
    const std::string id = node != nullptr     ? *node
                           : broker != nullptr ? *broker
                                               : std::string(*default_node_id());
    if (node == nullptr && broker != nullptr) config_.values.set("node.id", id);
    config_.values.set("broker.id", id);
    return {};
  }

  static std::optional<std::string_view> default_node_id() {
    return find_broker_setting("node.id")->default_value;
  }

  StartConfig config_;
};

Result<std::vector<Given>> from_flags(const std::vector<std::string>& flags) {
  std::vector<Given> given;
  for (const std::string& flag : flags) {
    const std::size_t equals = flag.find('=');
    if (!flag.starts_with("--") || equals == std::string::npos || equals == 2) {
      return Error{Errc::invalid_argument,
                   fmt::format("{}: a setting is given as --key=value", flag)};
    }
    std::string key = flag.substr(2, equals - 2);
    const auto same = std::find_if(given.begin(), given.end(),
                                   [&](const Given& earlier) { return earlier.key == key; });
    if (same != given.end()) {
      return Error{Errc::invalid_argument, fmt::format("--{}: given twice", key)};
    }
    given.push_back({std::move(key), flag.substr(equals + 1), "command line"});
  }
  return given;
}

Result<std::vector<Given>> from_file(const StartSources::File& file) {
  std::vector<Given> given;
  TRY_ASSIGN(auto properties, parse_properties(file.text, file.name));
  given.reserve(properties.size());
  for (Property& property : properties) {
    given.push_back({std::move(property.key), std::move(property.value),
                     fmt::format("{}:{}", file.name, property.line)});
  }
  return given;
}

}  // namespace

Result<StartConfig> read_start_config(const StartSources& sources) {
  Collector collector;
  std::vector<Given> command;
  for (const auto& [key, value] : sources.command) command.push_back({key, value, "command"});
  TRY(collector.add(command));
  if (sources.file) {
    TRY_ASSIGN(const auto given, from_file(*sources.file));
    TRY(collector.add(given));
  }
  TRY_ASSIGN(EnvironmentSettings environment, settings_from_environment(sources.environment));
  std::vector<Given> variables;
  for (auto& found : environment.found) {
    variables.push_back({std::move(found.key), std::move(found.value), std::move(found.variable)});
  }
  TRY(collector.add(variables));
  TRY_ASSIGN(const auto flags, from_flags(sources.flags));
  TRY(collector.add(flags));
  TRY_ASSIGN(StartConfig config, collector.finish(sources.host_name));
  config.warnings.insert(config.warnings.end(), environment.warnings.begin(),
                         environment.warnings.end());
  return config;
}

Result<Settings> start_settings(const StartConfig& config) {
  const ConfigLayers layers{.at_start = config.values, .cluster = {}, .broker = {}};
  auto made = make_settings(layers);
  if (auto* settings = std::get_if<Settings>(&made)) return std::move(*settings);
  const SettingProblem& problem = std::get<SettingProblem>(made);
  const auto place = config.places.find(problem.name);
  return bad({problem.name, layers.value(problem.name).value_or(""),
              place != config.places.end() ? place->second : "default"},
             problem.reason);
}

}  // namespace chronik::broker
