// The value of a setting as text: parsed as Kafka parses it (spaces around it do not count, true
// and false in any case, lists split at commas) and written back in one canonical form, the one
// that Kafka shows. Canonical text is what is kept, stored and shown; typed access is by the as_*
// functions. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "broker/settings/definition.h"

namespace chronik::broker {

/// The canonical text of `text` as a value of `definition`. The error's message is the reason
/// alone, as Kafka words it: "Not a number of type INT", "Value must be at least 1".
Result<std::string> canonical_value(const SettingDefinition& definition, std::string_view text);

/// Of canonical text: the type must be the one asked for.
bool as_bool(std::string_view canonical);
std::int64_t as_int64(std::string_view canonical);
double as_double(std::string_view canonical);
std::vector<std::string> as_list(std::string_view canonical);

/// Without the spaces, tabs and line ends around it.
std::string_view trim(std::string_view text);
/// At commas, each part trimmed; empty text has no parts.
std::vector<std::string> split_list(std::string_view text);
std::string join_list(const std::vector<std::string>& parts);
/// As Java prints a double: 0.5, 2.0, 1.7976931348623157E308.
std::string format_double(double value);

/// The value of `key` as a message may show it: not at all when it is secret (for an unknown key:
/// when it sounds so), and never longer than a line.
std::string shown(std::string_view key, std::string_view value);

}  // namespace chronik::broker
