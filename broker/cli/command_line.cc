#include "broker/cli/command_line.h"

#include "base/check.h"
#include "broker/cli/verbs.h"
#include "broker/cli/version.h"

namespace chronik::broker::cli {

namespace {

constexpr OptionSpec serve_options[] = {{"--config", "FILE", "A .properties file with settings"}};
constexpr OperandSpec list_operands[] = {
    {"PART", "Only settings that have this in their name", false}};
constexpr OptionSpec list_options[] = {
    {"--properties", "", "As a .properties file with all defaults, commented out"}};

constexpr Verb verbs[] = {
    {"serve", "Run a broker", {}, serve_options, true},
    {"dev", "Run a broker on 127.0.0.1:9092 with its data in your state directory", {}, {}, true},
    {"config list", "Print every setting: its type, default and meaning", list_operands,
     list_options},
};

Command command_of(VerbArguments arguments) {
  const std::string_view name = arguments.verb->name;
  if (name == "serve" || name == "dev") {
    ServeCommand command{
        .config_file = {}, .flags = std::move(arguments.settings), .dev = name == "dev"};
    const auto config = arguments.options.find("--config");
    if (config != arguments.options.end()) command.config_file = config->second;
    return command;
  }
  CHECK(name == "config list");
  return ConfigListCommand{
      .part = arguments.operands.empty() ? std::string() : arguments.operands[0],
      .properties = arguments.options.contains("--properties")};
}

PrintCommand print(std::string text, int code) {
  while (text.ends_with('\n')) text.pop_back();
  return {std::move(text), code};
}

}  // namespace

Command parse_command_line(const std::vector<std::string>& arguments) {
  if (arguments.empty()) return print(program_help(verbs), exit_misused);
  if (arguments[0] == "--version" || arguments[0] == "version") {
    return print(version_line(), exit_fine);
  }
  auto parsed = parse_verb(verbs, arguments);
  if (auto* help = std::get_if<HelpWanted>(&parsed)) return print(help->text, exit_fine);
  if (auto* misuse = std::get_if<Misuse>(&parsed)) return print(misuse->line, exit_misused);
  return command_of(std::move(std::get<VerbArguments>(parsed)));
}

}  // namespace chronik::broker::cli
