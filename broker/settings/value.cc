#include "broker/settings/value.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "base/check.h"
#include "broker/settings/table.h"

namespace chronik::broker {

namespace {

constexpr std::size_t shown_chars_max = 120;

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

/// Decimal digits with an optional sign, in the range of T: what Java's parseInt takes.
template <class T>
std::optional<T> parse_integer(std::string_view text) {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return std::nullopt;
  }
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<double> parse_double(std::string_view text) {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return std::nullopt;
  }
  double value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (!std::isfinite(value)) return std::nullopt;
  return value;
}

bool is_secret(std::string_view key) {
  if (const SettingDefinition* definition = find_broker_setting(key)) {
    return definition->sensitive();
  }
  const SettingDefinition* const meant = find_broker_setting(broker_settings().nearest(key));
  if (meant != nullptr && meant->sensitive()) return true;
  for (const std::string_view word : {"pass", "secret", "jaas", "credential", "token"}) {
    if (key.find(word) != std::string_view::npos) return true;
  }
  return false;
}

Error bad(std::string reason) { return Error{Errc::invalid_argument, std::move(reason)}; }

template <class Number>
Result<void> check_number(const Rule& rule, Number value) {
  const bool in_range =
      value >= static_cast<Number>(rule.min) && value <= static_cast<Number>(rule.max);
  if (rule.kind == Rule::Kind::range_or_minus_one) {
    if (in_range || value == static_cast<Number>(-1)) return {};
    return bad(fmt::format("Value must be between {} and {} or equal to -1", rule.min, rule.max));
  }
  if (rule.kind != Rule::Kind::range || in_range) return {};
  if (value < static_cast<Number>(rule.min)) {
    return bad(fmt::format("Value must be at least {}", rule.min));
  }
  return bad(fmt::format("Value must be no more than {}", rule.max));
}

bool is_choice(const Rule& rule, std::string_view value) {
  const bool ignore_case = rule.kind == Rule::Kind::one_of_ignoring_case;
  for (const std::string& choice : split_list(rule.choices)) {
    if (ignore_case ? equal_ignoring_case(choice, value) : choice == value) return true;
  }
  return false;
}

Result<void> check_text(const Rule& rule, std::string_view value) {
  switch (rule.kind) {
    case Rule::Kind::not_empty:
      if (value.empty()) return bad("String must be non-empty");
      return {};
    case Rule::Kind::one_of:
    case Rule::Kind::one_of_ignoring_case:
      if (!is_choice(rule, value)) {
        return bad(fmt::format("String must be one of{}: {}",
                               rule.kind == Rule::Kind::one_of ? "" : " (case insensitive)",
                               rule.choices));
      }
      return {};
    default:
      return {};
  }
}

/// partition:broker, both plain numbers.
bool is_replica(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return false;
  const auto number = [](std::string_view part) {
    return !part.empty() && part.find_first_not_of("0123456789") == std::string_view::npos;
  };
  return number(text.substr(0, colon)) && number(text.substr(colon + 1));
}

Result<void> check_list(const SettingDefinition& definition,
                        const std::vector<std::string>& parts) {
  const Rule& rule = definition.rule;
  if (rule.kind == Rule::Kind::each_one_of) {
    for (const std::string& part : parts) {
      if (!is_choice(rule, part)) {
        const std::string which = parts.size() == 1 ? "String" : "'" + part + "'";
        return bad(fmt::format("{} must be one of: {}", which, rule.choices));
      }
    }
  }
  if (rule.kind == Rule::Kind::replicas && !(parts.size() == 1 && parts[0] == "*") &&
      !std::all_of(parts.begin(), parts.end(), is_replica)) {
    return bad(
        fmt::format("{} must be the literal '*' or a list of replicas in the following "
                    "format: [partitionId]:[brokerId],[partitionId]:[brokerId],...",
                    definition.name));
  }
  return {};
}

template <class T>
Result<std::string> canonical_integer(const SettingDefinition& definition, std::string_view text) {
  const std::optional<T> value = parse_integer<T>(text);
  if (!value) return bad(fmt::format("Not a number of type {}", to_string(definition.type)));
  TRY(check_number<std::int64_t>(definition.rule, *value));
  return std::to_string(*value);
}

}  // namespace

std::string_view trim(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n\f\v";
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> parts;
  text = trim(text);
  if (text.empty()) return parts;
  while (true) {
    const std::size_t comma = text.find(',');
    parts.emplace_back(trim(text.substr(0, comma)));
    if (comma == std::string_view::npos) return parts;
    text.remove_prefix(comma + 1);
  }
}

std::string join_list(const std::vector<std::string>& parts) {
  std::string text;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) text += ',';
    text += parts[i];
  }
  return text;
}

std::string format_double(double value) {
  const double magnitude = std::fabs(value);
  const bool plain = magnitude == 0 || (magnitude >= 1e-3 && magnitude < 1e7);
  char digits[64];
  const auto format = plain ? std::chars_format::fixed : std::chars_format::scientific;
  const auto end = std::to_chars(digits, digits + sizeof digits, value, format).ptr;
  std::string text(digits, end);
  if (plain) {
    if (text.find('.') == std::string::npos) text += ".0";
    return text;
  }
  // "1.5e+08" is 1.5E8 in Java, "1e-05" is 1.0E-5.
  const std::size_t e = text.find('e');
  std::string mantissa = text.substr(0, e);
  std::string exponent = text.substr(e + 1);
  if (mantissa.find('.') == std::string::npos) mantissa += ".0";
  const bool negative = exponent.starts_with('-');
  exponent.erase(0, exponent.find_first_not_of("+-0"));
  return mantissa + "E" + (negative ? "-" : "") + exponent;
}

Result<std::string> canonical_value(const SettingDefinition& definition, std::string_view text) {
  text = trim(text);
  if (text.find('\0') != std::string_view::npos) return bad("A value holds no zero byte");
  switch (definition.type) {
    case SettingType::boolean:
      if (equal_ignoring_case(text, "true")) return std::string("true");
      if (equal_ignoring_case(text, "false")) return std::string("false");
      return bad("Expected value to be either true or false");
    case SettingType::int16:
      return canonical_integer<std::int16_t>(definition, text);
    case SettingType::int32:
      return canonical_integer<std::int32_t>(definition, text);
    case SettingType::int64:
      return canonical_integer<std::int64_t>(definition, text);
    case SettingType::float64: {
      const std::optional<double> value = parse_double(text);
      if (!value) return bad("Not a number of type DOUBLE");
      TRY(check_number(definition.rule, *value));
      return format_double(*value);
    }
    case SettingType::list: {
      const std::vector<std::string> parts = split_list(text);
      TRY(check_list(definition, parts));
      return join_list(parts);
    }
    case SettingType::text:
    case SettingType::class_name:
    case SettingType::password:
      TRY(check_text(definition.rule, text));
      return std::string(text);
  }
  UNREACHABLE();
}

bool as_bool(std::string_view canonical) { return canonical == "true"; }

std::int64_t as_int64(std::string_view canonical) {
  const std::optional<std::int64_t> value = parse_integer<std::int64_t>(canonical);
  CHECK_MSG(value.has_value(), std::string(canonical));
  return *value;
}

double as_double(std::string_view canonical) {
  const std::optional<double> value = parse_double(canonical);
  CHECK_MSG(value.has_value(), std::string(canonical));
  return *value;
}

std::vector<std::string> as_list(std::string_view canonical) { return split_list(canonical); }

std::string shown(std::string_view key, std::string_view value) {
  if (is_secret(key)) return "[hidden]";
  std::string text;
  for (const char c : value.substr(0, shown_chars_max)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      text += fmt::format("\\x{:02x}", byte);
    } else {
      text += c;
    }
  }
  if (value.size() > shown_chars_max) text += "...";
  return text;
}

}  // namespace chronik::broker
