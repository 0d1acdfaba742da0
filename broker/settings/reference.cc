#include "broker/settings/reference.h"

#include <spdlog/fmt/fmt.h>

#include "broker/settings/table.h"

namespace chronik::broker {

namespace {

constexpr std::size_t line_chars_max = 100;

/// Words of `text` in lines that all begin with `prefix`.
std::string wrap(std::string_view text, std::string_view prefix) {
  std::string out(prefix);
  std::size_t column = prefix.size();
  bool first = true;
  while (!text.empty()) {
    const std::size_t end = text.find(' ');
    const std::string_view word = text.substr(0, end);
    if (!first && column + 1 + word.size() > line_chars_max) {
      out += "\n";
      out += prefix;
      column = prefix.size();
    } else if (!first) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
    first = false;
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return out + "\n";
}

std::string_view type_word(SettingType type) {
  switch (type) {
    case SettingType::boolean:
      return "true or false";
    case SettingType::int16:
    case SettingType::int32:
    case SettingType::int64:
      return "whole number";
    case SettingType::float64:
      return "number";
    case SettingType::list:
      return "list, separated by commas";
    case SettingType::class_name:
      return "Java class";
    case SettingType::password:
      return "secret";
    case SettingType::text:
      return "text";
  }
  return "text";
}

std::string_view update_words(Update update) {
  switch (update) {
    case Update::read_only:
      return "set at start";
    case Update::per_broker:
      return "can be changed at run time for one broker";
    case Update::cluster_wide:
      return "can be changed at run time";
  }
  return {};
}

std::string default_word(const SettingDefinition& definition) {
  if (!definition.default_value) return "unset";
  if (definition.default_value->empty()) return "empty";
  return std::string(*definition.default_value);
}

std::string describe_row(const SettingDefinition& row, bool of_broker) {
  std::string facts = fmt::format("{}", type_word(row.type));
  if (const std::string rule = describe(row.rule); !rule.empty()) facts += ", " + rule;
  facts += "; default: " + default_word(row);
  if (of_broker) facts += fmt::format("; {}", update_words(row.update));
  facts += ".";
  return fmt::format("{}\n{}{}\n", row.name, wrap(documentation(row), "    "), wrap(facts, "    "));
}

std::string describe_rows(const SettingTable& table, std::string_view part, bool of_broker) {
  std::string out;
  for (const SettingDefinition* row : table.rows()) {
    if (row->name.find(part) != std::string_view::npos) out += describe_row(*row, of_broker);
  }
  return out;
}

/// Rows of the file with this effect; the first with an empty line between them.
std::string example_rows(Effect effect) {
  std::string out;
  for (const SettingDefinition* row : broker_settings().rows()) {
    if (row->effect != effect) continue;
    std::string text(row->doc);
    if (const std::string rule = describe(row->rule); effect == Effect::applies && !rule.empty()) {
      text += fmt::format(" ({})", rule);
    }
    out += wrap(text, "# ");
    out += fmt::format("#{}={}\n", row->name, row->default_value.value_or(""));
    if (effect == Effect::applies) out += "\n";
  }
  return out;
}

}  // namespace

std::string settings_reference(std::string_view part) {
  const std::string broker = describe_rows(broker_settings(), part, true);
  const std::string topic = describe_rows(topic_settings(), part, false);
  std::string out;
  if (!broker.empty()) out += "Settings of the broker\n\n" + broker;
  if (!topic.empty()) out += "Settings of a topic, which go before the broker's\n\n" + topic;
  return out;
}

std::string example_properties() {
  std::string out =
      "# All settings of a chronik broker with their defaults: `chronik serve --config <this "
      "file>`.\n"
      "# Names and meanings are those of Apache Kafka 4.4, so a server.properties works too. The "
      "same\n"
      "# keys go on the command line as --key=value and into the environment as CHRONIK_KEY "
      "(dots as\n"
      "# underscores, in capitals); the command line rules over the environment, and that over "
      "this file.\n"
      "# Written by `chronik config list --properties`.\n\n";
  out += example_rows(Effect::applies);
  out +=
      "# The rest of Kafka's settings: accepted and shown to tools, without effect in this "
      "version.\n\n";
  return out + example_rows(Effect::listed);
}

}  // namespace chronik::broker
