// Environment variables that are settings: CHRONIK_LOG_RETENTION_MS is log.retention.ms and
// CHRONIK_SHARDS chronik.shards; KAFKA_CFG_* and KAFKA_* as the images of Kafka read them, so that
// their compose files work. An underscore is a dot, two are an underscore, three a dash. Pure.
//
// A CHRONIK_ or KAFKA_CFG_ variable must name a setting, unless it is one by which Kubernetes tells
// of a service (CHRONIK_SERVICE_HOST). Among KAFKA_ variables many are for Java and for start
// scripts (KAFKA_HEAP_OPTS), and Kubernetes adds its own (KAFKA_PORT_9092_TCP): those that name no
// setting are left out with a warning, unless they look like one misspelt.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace chronik::broker {

struct EnvironmentSettings {
  struct Found {
    std::string key;
    std::string value;
    std::string variable;
  };
  std::vector<Found> found;  // no key twice
  std::vector<std::string> warnings;
};

/// Variables with an empty value count as unset. Errors: invalid_argument, one line.
Result<EnvironmentSettings> settings_from_environment(
    const std::vector<std::pair<std::string, std::string>>& variables);

}  // namespace chronik::broker
