// The verbs of the command line as data: what each takes, in one table, from which parsing and help
// are made. Pure.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace chronik::broker::cli {

struct OptionSpec {
  std::string_view name;   // "--config"
  std::string_view value;  // "FILE"; empty: takes none
  std::string_view help;
};

struct OperandSpec {
  std::string_view name;  // "DIR"
  std::string_view help;
  bool required = true;
};

struct Verb {
  std::string_view name;  // one or two words: "serve", "log dump"
  std::string_view help;  // one line
  std::span<const OperandSpec> operands;
  std::span<const OptionSpec> options;
  bool takes_settings = false;  // --key=value with any key
};

/// What was written behind a verb.
struct VerbArguments {
  const Verb* verb = nullptr;
  std::map<std::string, std::string, std::less<>> options;  // "" for those without a value
  std::vector<std::string> operands;
  std::vector<std::string> settings;  // "--key=value"
};

struct HelpWanted {
  std::string text;
};
struct Misuse {
  std::string line;  // "chronik: what is wrong; see `chronik ... --help`"
};

/// Finds the verb and sorts the arguments behind it.
std::variant<VerbArguments, HelpWanted, Misuse> parse_verb(std::span<const Verb> verbs,
                                                           const std::vector<std::string>& words);

/// Help on the program.
std::string program_help(std::span<const Verb> verbs);

}  // namespace chronik::broker::cli
