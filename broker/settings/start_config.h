// StartConfig: the settings given when the program starts, from all sources, checked one by one.
// Sources, the first one ruling: flags (--key=value), environment (CHRONIK_LOG_RETENTION_MS; also
// KAFKA_CFG_* and KAFKA_* as compose files have them), the .properties file, what the command sets
// by itself (`chronik dev`). Pure: the caller reads file and environment.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "broker/settings/settings.h"
#include "metadata/config_map.h"

namespace chronik::broker {

struct StartSources {
  struct File {
    std::string name;
    std::string text;
  };
  std::vector<std::pair<std::string, std::string>> command;  // key, value
  std::optional<File> file;
  std::vector<std::pair<std::string, std::string>> environment;  // all variables there are
  std::vector<std::string> flags;                                // "--key=value"
  std::string host_name;  // gives a node of a cluster its number where node.id does not
};

struct StartConfig {
  metadata::ConfigMap values;                 // canonical
  std::map<std::string, std::string> places;  // key: where its value stands, "f.properties:12"
  std::vector<std::string> warnings;          // what was left out, one line each, to be logged
};

/// Errors: invalid_argument, one line: where, key, value, what is wrong, the nearest name.
Result<StartConfig> read_start_config(const StartSources& sources);

/// The typed settings that it gives. Errors: as above.
Result<Settings> start_settings(const StartConfig& config);

}  // namespace chronik::broker
