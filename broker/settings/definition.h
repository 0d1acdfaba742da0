// SettingDefinition: one row of the tables of settings (table.h): a setting's name, type, default,
// rule and one sentence about it. Names, types, defaults and rules are Kafka 4.4's, so that a
// server.properties, kafka-configs and the UIs mean the same thing here; the sentences are ours.
// Pure data and pure functions.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace chronik::broker {

/// The numbers are those of DescribeConfigs (config_type, KIP-569).
enum class SettingType : std::int8_t {
  boolean = 1,
  text = 2,
  int32 = 3,
  int16 = 4,
  int64 = 5,
  float64 = 6,
  list = 7,        // separated by commas
  class_name = 8,  // of Java; listed only
  password = 9,    // never shown
};

/// Kafka's name of the type, as its error messages print it.
const char* to_string(SettingType type);

/// What a value must satisfy besides its type.
struct Rule {
  enum class Kind : std::uint8_t {
    any,
    range,                 // min <= value <= max
    range_or_minus_one,    // the same, or -1
    one_of,                // of choices
    one_of_ignoring_case,  // of choices
    each_one_of,           // every element of a list is one of choices
    not_empty,
    replicas,  // "*", or a list of partition:broker
  };
  Kind kind = Kind::any;
  std::int64_t min = 0;
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
  std::string_view choices{};  // separated by ", "
};

/// Whether a change is felt by this broker.
enum class Effect : std::uint8_t {
  applies,
  listed,  // accepted and shown, since tools and files carry it; changes nothing here
};

/// Whether and where it can be changed while the broker runs (KIP-226).
enum class Update : std::uint8_t {
  read_only,     // at start only
  per_broker,    // for one broker
  cluster_wide,  // for one broker, or for all as the cluster's default
};

struct SettingDefinition {
  std::string_view name;
  SettingType type;
  std::optional<std::string_view> default_value;  // none: null
  Rule rule;
  Effect effect;
  Update update;
  std::string_view doc;

  bool sensitive() const { return type == SettingType::password; }
};

/// The rule in words, for error messages and the reference: "at least 1", "compact, delete"; empty
/// when every value of the type is fine.
std::string describe(const Rule& rule);

/// The sentence for people: doc, and a second one when the setting is only listed.
std::string documentation(const SettingDefinition& definition);

}  // namespace chronik::broker
