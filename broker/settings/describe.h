// What DescribeConfigs (KIP-133, KIP-226, KIP-569) and CreateTopics tell about settings: the value,
// where it comes from, and its synonyms in the order of precedence. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/log.h"
#include "broker/settings/layers.h"

namespace chronik::broker {

/// The numbers are those of the protocol.
enum class ConfigSource : std::int8_t {
  dynamic_topic = 1,
  dynamic_broker = 2,
  dynamic_default_broker = 3,
  static_broker = 4,
  default_config = 5,
  dynamic_broker_logger = 6,
  client_metrics = 7,
  group = 8,
};

/// As Kafka's tools print it: STATIC_BROKER_CONFIG.
const char* to_string(ConfigSource source);

struct ConfigSynonym {
  std::string name;
  std::optional<std::string> value;
  ConfigSource source;
  bool operator==(const ConfigSynonym&) const = default;
};

struct ConfigEntry {
  std::string name;
  std::optional<std::string> value;  // none: null, or secret
  bool read_only = false;
  ConfigSource source = ConfigSource::default_config;
  bool sensitive = false;
  std::vector<ConfigSynonym> synonyms;       // only when asked for
  std::int8_t type = 0;                      // SettingType, or 0
  std::optional<std::string> documentation;  // only when asked for
};

struct DescribeOptions {
  /// Names asked for; empty asks for all.
  std::span<const std::string> keys;
  bool synonyms = false;
  bool documentation = false;
};

/// Sorted by name, all of them. A broker: every broker setting.
std::vector<ConfigEntry> describe_broker(const ConfigLayers& layers,
                                         const DescribeOptions& options);
/// The cluster's defaults of brokers: only what is set.
std::vector<ConfigEntry> describe_cluster_defaults(const ConfigLayers& layers,
                                                   const DescribeOptions& options);
std::vector<ConfigEntry> describe_group(const ConfigLayers& layers,
                                        const metadata::ConfigMap& overrides,
                                        const DescribeOptions& options);
std::vector<ConfigEntry> describe_client_metrics(const metadata::ConfigMap& overrides,
                                                 const DescribeOptions& options);

/// Describes topics. What they inherit is worked out once, since requests ask for thousands.
class TopicDescriber {
 public:
  TopicDescriber(const ConfigLayers& layers, bool synonyms, bool documentation);

  /// `keys` as in DescribeOptions.
  std::vector<ConfigEntry> describe(const metadata::ConfigMap& overrides,
                                    std::span<const std::string> keys = {}) const;

 private:
  const bool synonyms_;
  std::vector<ConfigEntry> inherited_;  // in the order of the table
};

}  // namespace chronik::broker
