#include "broker/cli/verbs.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <optional>

namespace chronik::broker::cli {

namespace {

constexpr std::string_view settings_help =
    "\n"
    "Settings carry Kafka's names, for instance --log.retention.hours=24. They may also stand in "
    "the\n"
    "environment, as CHRONIK_LOG_RETENTION_HOURS; KAFKA_* and KAFKA_CFG_* variables work as well.\n"
    "The command line rules over the environment, and that over the file. `chronik config list`\n"
    "prints all settings.\n";

constexpr std::string_view exit_help =
    "\n"
    "Exit codes: 0 fine; 1 something went wrong; 2 a mistake in the command line or in a "
    "setting.\n";

constexpr std::size_t help_column = 26;

std::string help_line(std::string_view what, std::string_view help) {
  // What is longer than its column keeps its distance.
  const std::size_t width = std::max(help_column - 2, what.size() + 2);
  return fmt::format("  {:<{}}{}\n", what, width, help);
}

bool is_help(std::string_view word) { return word == "--help" || word == "-h"; }

bool has_option(const Verb& verb, std::string_view name) {
  return std::any_of(verb.options.begin(), verb.options.end(),
                     [&](const OptionSpec& option) { return option.name == name; });
}

std::string verb_help(const Verb& verb) {
  std::string text = fmt::format("{}.\n\nUsage: chronik {}", verb.help, verb.name);
  for (const OptionSpec& option : verb.options) {
    text += fmt::format(" [{}{}{}]", option.name, option.value.empty() ? "" : " ", option.value);
  }
  if (verb.takes_settings) text += " [--KEY=VALUE ...]";
  for (const OperandSpec& operand : verb.operands) {
    text +=
        operand.required ? fmt::format(" {}", operand.name) : fmt::format(" [{}]", operand.name);
  }
  text += "\n\n";
  for (const OperandSpec& operand : verb.operands) text += help_line(operand.name, operand.help);
  for (const OptionSpec& option : verb.options) {
    const std::string what = option.value.empty() ? std::string(option.name)
                                                  : fmt::format("{} {}", option.name, option.value);
    text += help_line(what, option.help);
  }
  if (verb.takes_settings) text += help_line("--KEY=VALUE", "A setting");
  text += help_line("-h, --help", "Print this help");
  if (verb.takes_settings) text += settings_help;
  return text + std::string(exit_help);
}

/// Verbs whose first word is `word`, by which they belong together ("log").
std::vector<const Verb*> family(std::span<const Verb> verbs, std::string_view word) {
  std::vector<const Verb*> found;
  for (const Verb& verb : verbs) {
    if (verb.name.substr(0, verb.name.find(' ')) == word) found.push_back(&verb);
  }
  return found;
}

Misuse misuse(std::string_view what, std::string_view verb) {
  return {
      fmt::format("chronik: {}; see `chronik{}{} --help`", what, verb.empty() ? "" : " ", verb)};
}

/// Sorts the words behind a verb.
class Sorting {
 public:
  Sorting(const Verb& verb, std::span<const std::string> words) : verb_(verb), words_(words) {
    result_.verb = &verb;
  }

  std::variant<VerbArguments, HelpWanted, Misuse> run() {
    if (std::any_of(words_.begin(), words_.end(), is_help)) return HelpWanted{verb_help(verb_)};
    for (; at_ < words_.size(); ++at_) {
      if (auto what = take(words_[at_])) return misuse(*what, verb_.name);
    }
    for (std::size_t i = result_.operands.size(); i < verb_.operands.size(); ++i) {
      if (verb_.operands[i].required) {
        return misuse(fmt::format("{} is missing", verb_.operands[i].name), verb_.name);
      }
    }
    return std::move(result_);
  }

 private:
  using Mistake = std::optional<std::string>;

  Mistake take(const std::string& word) {
    if (word.size() < 2 || word[0] != '-') return take_operand(word);
    const std::size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    if (has_option(verb_, name)) return take_option(name, word, equals);
    if (!verb_.takes_settings) return fmt::format("{}: there is no such option", word);
    if (!word.starts_with("--") || equals == std::string::npos) {
      return fmt::format("{}: a setting is written as --key=value", word);
    }
    result_.settings.push_back(word);
    return std::nullopt;
  }

  Mistake take_operand(const std::string& word) {
    if (result_.operands.size() == verb_.operands.size()) {
      return verb_.takes_settings ? fmt::format("{}: a setting is written as --key=value", word)
                                  : fmt::format("{}: one word too many", word);
    }
    result_.operands.push_back(word);
    return std::nullopt;
  }

  /// --option value, --option=value, or --option alone.
  Mistake take_option(const std::string& name, const std::string& word, std::size_t equals) {
    const auto option = std::find_if(verb_.options.begin(), verb_.options.end(),
                                     [&](const OptionSpec& one) { return one.name == name; });
    if (result_.options.contains(name)) return fmt::format("{}: given twice", name);
    std::string value;
    if (option->value.empty()) {
      if (equals != std::string::npos) return fmt::format("{}: takes no value", name);
    } else if (equals != std::string::npos) {
      value = word.substr(equals + 1);
    } else if (at_ + 1 < words_.size()) {
      value = words_[++at_];
    }
    if (!option->value.empty() && value.empty()) {
      return fmt::format("{}: {} is missing", name, option->value);
    }
    result_.options.emplace(name, std::move(value));
    return std::nullopt;
  }

  const Verb& verb_;
  std::span<const std::string> words_;
  std::size_t at_ = 0;
  VerbArguments result_;
};

std::string family_help(const std::vector<const Verb*>& verbs) {
  std::string text = "Usage:\n";
  for (const Verb* verb : verbs)
    text += help_line(fmt::format("chronik {}", verb->name), verb->help);
  return text;
}

}  // namespace

std::string program_help(std::span<const Verb> verbs) {
  std::string text =
      "A broker that speaks Kafka's protocol.\n\nUsage: chronik COMMAND [ARGUMENTS]\n\n";
  for (const Verb& verb : verbs) text += help_line(verb.name, verb.help);
  text += help_line("--version", "Print the version");
  text += help_line("-h, --help", "Print this help");
  return text + "\n`chronik COMMAND --help` tells more.\n" + std::string(exit_help);
}

std::variant<VerbArguments, HelpWanted, Misuse> parse_verb(std::span<const Verb> verbs,
                                                           const std::vector<std::string>& words) {
  if (words.empty()) return misuse("no command is given", "");
  const std::string& first = words[0];
  if (is_help(first) || first == "help") return HelpWanted{program_help(verbs)};
  const auto candidates = family(verbs, first);
  if (candidates.empty()) {
    const char* const kind = first.starts_with('-') ? "option" : "command";
    return misuse(fmt::format("{}: there is no such {}", first, kind), "");
  }
  const std::span<const std::string> all(words);
  if (candidates.size() == 1 && candidates[0]->name == first) {
    return Sorting(*candidates[0], all.subspan(1)).run();
  }
  if (words.size() > 1) {
    if (is_help(words[1])) return HelpWanted{family_help(candidates)};
    for (const Verb* verb : candidates) {
      if (verb->name == first + " " + words[1]) return Sorting(*verb, all.subspan(2)).run();
    }
    return misuse(fmt::format("{} {}: there is no such command", first, words[1]), first);
  }
  return misuse(fmt::format("{}: what about it?", first), first);
}

}  // namespace chronik::broker::cli
