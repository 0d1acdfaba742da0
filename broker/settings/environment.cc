#include "broker/settings/environment.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "base/uuid.h"
#include "broker/settings/table.h"
#include "broker/settings/value.h"

namespace chronik::broker {

namespace {

/// LOG_RETENTION_MS is log.retention.ms; __ is an underscore and ___ a dash.
std::string key_of(std::string_view variable) {
  std::string key;
  for (std::size_t i = 0; i < variable.size();) {
    if (variable[i] != '_') {
      const char c = variable[i++];
      key += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
      continue;
    }
    std::size_t end = variable.find_first_not_of('_', i);
    if (end == std::string_view::npos) end = variable.size();
    const std::size_t count = end - i;
    key += count == 1 ? "." : count == 2 ? "_" : "-";
    i = end;
  }
  return key;
}

bool is_setting(std::string_view key) {
  return find_broker_setting(key) != nullptr || !why_ignored(key).empty();
}

constexpr std::string_view cluster_id_key = "chronik.cluster.id";

// Of Kafka's images, its start scripts, and Kubernetes: nothing to say about them.
constexpr std::string_view silent[] = {
    "KAFKA_CLIENT_",
    "KAFKA_CLASSPATH",
    "KAFKA_DEBUG",
    "KAFKA_ENABLE_KRAFT",
    "KAFKA_GC_LOG_",
    "KAFKA_HEAP_OPTS",
    "KAFKA_HOME",
    "KAFKA_INIT_",
    "KAFKA_JMX_",
    "KAFKA_JVM_",
    "KAFKA_KRAFT_",
    "KAFKA_LOG4J_",
    "KAFKA_OPTS",
    "KAFKA_PORT_",
    "KAFKA_SERVICE_",
    "KAFKA_VERSION",
    "KAFKA_CONF_DIR",
    "KAFKA_DATA_DIR",
    "KAFKA_VOLUME_DIR",
    "KAFKA_MOUNTED_CONF_DIR",
    "KAFKA_DAEMON_",
    "KAFKA_BASE_DIR",
    "KAFKA_CERTS_",
    "KAFKA_INTER_BROKER_USER",
    "KAFKA_INTER_BROKER_PASSWORD",
    "KAFKA_CONTROLLER_USER",
    "KAFKA_CONTROLLER_PASSWORD",
    "KAFKA_REST_",
    "KAFKA_SCHEMA_REGISTRY_",
};

bool is_silent(std::string_view variable) {
  return std::any_of(std::begin(silent), std::end(silent),
                     [&](std::string_view prefix) { return variable.starts_with(prefix); });
}

/// Kubernetes tells a container of the services beside it; of one that is named chronik-0 with
/// CHRONIK_0_SERVICE_HOST, CHRONIK_0_SERVICE_PORT_CLIENTS, CHRONIK_0_PORT=tcp://10.0.0.1:9092,
/// CHRONIK_0_PORT_9092_TCP_ADDR and their like.
bool tells_of_a_service(std::string_view variable, std::string_view value) {
  constexpr std::string_view with_number = "_PORT_";
  if (variable.ends_with("_SERVICE_HOST")) return true;
  if (variable.find("_SERVICE_PORT") != std::string_view::npos) return true;
  if (variable.ends_with("_PORT") && value.find("://") != std::string_view::npos) return true;
  const std::size_t at = variable.find(with_number);
  if (at == std::string_view::npos) return false;
  const std::string_view number = variable.substr(at + with_number.size());
  return !number.empty() && number.front() >= '0' && number.front() <= '9';
}

Error unknown(std::string_view variable, std::string_view value, std::string_view key) {
  const std::string_view nearest = broker_settings().nearest(key);
  return Error{Errc::invalid_argument,
               fmt::format("{}={}: there is no setting {}; {}", variable, shown(key, value), key,
                           nearest.empty() ? "`chronik config list` prints all"
                                           : fmt::format("did you mean {}?", nearest))};
}

class Scan {
 public:
  Result<> take(const std::string& variable, const std::string& value) {
    const std::string_view name = variable;
    if (name.starts_with("CHRONIK_")) return take_own(variable, value);
    if (name.starts_with("KAFKA_CFG_")) {
      const std::string key = key_of(name.substr(10));
      if (!is_setting(key)) return unknown(variable, value, key);
      add(key, value, variable, 2);
    } else if (name == "CLUSTER_ID" || name == "KAFKA_CLUSTER_ID" ||
               name == "KAFKA_KRAFT_CLUSTER_ID") {
      take_cluster_id(variable, value);
    } else if (name.starts_with("KAFKA_")) {
      return take_kafka(variable, value);
    }
    return {};
  }

  EnvironmentSettings finish() {
    for (auto& entry : entries_) result_.found.push_back(std::move(entry.found));
    return std::move(result_);
  }

 private:
  struct Entry {
    EnvironmentSettings::Found found;
    int rank;
  };

  Result<> take_own(const std::string& variable, const std::string& value) {
    if (tells_of_a_service(variable, value)) return {};
    const std::string key = key_of(std::string_view(variable).substr(8));
    const std::string own_key = "chronik." + key;
    if (find_broker_setting(own_key) != nullptr) {
      add(own_key, value, variable, 3);
    } else if (is_setting(key)) {
      add(key, value, variable, 3);
    } else {
      return unknown(variable, value, key);
    }
    return {};
  }

  /// Kafka's images format the storage with it. CLUSTER_ID is also others' word: only what can be
  /// one is taken.
  void take_cluster_id(const std::string& variable, const std::string& value) {
    if (Uuid::parse(trim(value))) {
      add(std::string(cluster_id_key), value, variable, 0);
    } else {
      result_.warnings.push_back(fmt::format("{} is ignored: {} is no id of a Kafka cluster",
                                             variable, shown(variable, value)));
    }
  }

  Result<> take_kafka(const std::string& variable, const std::string& value) {
    const std::string key = key_of(std::string_view(variable).substr(6));
    if (is_setting(key)) {
      add(key, value, variable, 1);
      return {};
    }
    if (is_silent(variable)) return {};
    const std::string_view nearest = broker_settings().nearest(key);
    // One or two characters off: meant as a setting.
    if (!nearest.empty() && edit_distance(key, nearest, 2) <= 2) {
      return unknown(variable, value, key);
    }
    result_.warnings.push_back(fmt::format("{} is ignored: there is no setting {}", variable, key));
    return {};
  }

  /// The higher rank wins where two variables mean the same setting.
  void add(const std::string& key, const std::string& value, const std::string& variable,
           int rank) {
    for (Entry& entry : entries_) {
      if (entry.found.key != key) continue;
      if (rank > entry.rank) entry = {{key, value, variable}, rank};
      return;
    }
    entries_.push_back({{key, value, variable}, rank});
  }

  std::vector<Entry> entries_;
  EnvironmentSettings result_;
};

}  // namespace

Result<EnvironmentSettings> settings_from_environment(
    const std::vector<std::pair<std::string, std::string>>& variables) {
  Scan scan;
  for (const auto& [variable, value] : variables) {
    if (trim(value).empty()) continue;
    TRY(scan.take(variable, value));
  }
  return scan.finish();
}

}  // namespace chronik::broker
