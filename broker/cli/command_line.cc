#include "broker/cli/command_line.h"

#include <spdlog/fmt/fmt.h>

#include <charconv>

#include "base/check.h"
#include "broker/cli/verbs.h"
#include "broker/cli/version.h"

namespace chronik::broker::cli {

namespace {

constexpr OptionSpec serve_options[] = {{"--config", "FILE", "A .properties file with settings"}};
constexpr OptionSpec health_options[] = {
    {"--config", "FILE", "The .properties file that the broker was started with"}};
constexpr OperandSpec list_operands[] = {
    {"PART", "Only settings that have this in their name", false}};
constexpr OptionSpec list_options[] = {
    {"--properties", "", "As a .properties file with all defaults, commented out"}};

constexpr OperandSpec log_operands[] = {
    {"DIR", "A data directory, or the directory of one partition in it", true}};
constexpr OperandSpec partition_operands[] = {
    {"DIR", "The directory of one partition: <data directory>/<topic>-<number>", true}};
constexpr OptionSpec dump_options[] = {
    {"--records", "", "Print each record too"},
    {"--from", "OFFSET", "Leave out what lies before this offset"},
    {"--below", "OFFSET", "Leave out this offset and what lies behind it"},
    {"--preview", "BYTES", "Print keys and values up to so many bytes (64)"}};
constexpr OptionSpec verify_options[] = {{"--records", "", "Decompress and read each record too"}};

constexpr OperandSpec metadata_operands[] = {
    {"DIR", "The data directory of a node that does not run", true}};
constexpr OptionSpec metadata_options[] = {
    {"--at", "INDEX", "After this entry of the metadata log; else after the last committed one"},
    {"--hash", "", "Only the line with the position and the hash"}};
constexpr OptionSpec cluster_options[] = {
    {"--bootstrap-server", "HOST:PORT", "Any broker of the cluster (localhost:9092)"}};
constexpr OptionSpec recover_options[] = {
    {"--topic", "NAME", "The topic (required)"},
    {"--partition", "NUMBER", "The partition (required)"},
    {"--accept-loss", "", "Do it; else it is only said who is there and what may be lost"},
    {"--bootstrap-server", "HOST:PORT", "Any broker of the cluster (localhost:9092)"}};
constexpr OperandSpec node_operands[] = {{"NODE", "The node.id of the node", true}};

constexpr Verb verbs[] = {
    {"serve", "Run a broker", {}, serve_options, true},
    {"dev", "Run a broker on 127.0.0.1:9092 with its data in your state directory", {}, {}, true},
    {"health",
     "Ask the broker that runs with these settings whether it answers; exit code 1: no",
     {},
     health_options,
     true},
    {"config list", "Print every setting: its type, default and meaning", list_operands,
     list_options},
    {"log dump", "Print the batches that lie in a data directory; exit code 1 on damage",
     log_operands, dump_options},
    {"log verify", "Read all of a data directory and tell what is damaged; exit code 1 on damage",
     log_operands, verify_options},
    {"log repair",
     "Give up what lies behind the first damage of a partition, keeping a copy beside it",
     partition_operands,
     {}},
    {"metadata dump",
     "Print the metadata that a data directory holds, and a hash to compare nodes by",
     metadata_operands, metadata_options},
    {"cluster status",
     "Print the nodes of a cluster: who votes, who leads, how far each one is",
     {},
     cluster_options},
    {"cluster add", "Give a node a vote that runs and stands in cluster.nodes of all nodes",
     node_operands, cluster_options},
    {"cluster remove", "Take a node's vote; it goes on as an observer until it is stopped",
     node_operands, cluster_options},
    {"cluster forget", "Forget a stopped broker that will not come back", node_operands,
     cluster_options},
    {"cluster recover",
     "Let a partition that lost most of its replicas for good go on with what one of them has",
     {},
     recover_options},
};

PrintCommand print(std::string text, int code) {
  while (text.ends_with('\n')) text.pop_back();
  return {std::move(text), code};
}

/// Reads a whole number >= 0 given as an option. False: it is something else.
template <class T>
bool read_number(const VerbArguments& arguments, std::string_view name, T& into) {
  const auto found = arguments.options.find(name);
  if (found == arguments.options.end()) return true;
  const std::string& text = found->second;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return false;
  into = static_cast<T>(value);
  return true;
}

Command log_command_of(const VerbArguments& arguments) {
  const std::string_view name = arguments.verb->name;
  const std::string& directory = arguments.operands[0];
  const bool records = arguments.options.contains("--records");
  if (name == "log verify") return LogVerifyCommand{directory, {.records = records}};
  if (name == "log repair") return LogRepairCommand{directory};
  CHECK(name == "log dump");
  LogDumpCommand command{directory, {.records = records}};
  std::string_view wrong;
  if (!read_number(arguments, "--from", command.options.from)) wrong = "--from";
  if (!read_number(arguments, "--below", command.options.below)) wrong = "--below";
  if (!read_number(arguments, "--preview", command.options.preview_bytes)) wrong = "--preview";
  if (wrong.empty()) return command;
  return print(fmt::format("chronik: {}: {} is no number from 0 on; see `chronik log dump --help`",
                           wrong, arguments.options.find(wrong)->second),
               exit_misused);
}

Command metadata_command_of(const VerbArguments& arguments) {
  MetadataDumpCommand command{arguments.operands[0], std::nullopt,
                              arguments.options.contains("--hash")};
  const auto at = arguments.options.find("--at");
  if (at == arguments.options.end()) return command;
  if (read_number(arguments, "--at", command.at)) return command;
  return print(fmt::format("chronik: --at: {} is no number from 0 on; see `chronik metadata dump "
                           "--help`",
                           at->second),
               exit_misused);
}

Command recover_command_of(const VerbArguments& arguments, ClusterCommand command) {
  const auto wrong = [](std::string_view what) {
    return print(fmt::format("chronik: {}; see `chronik cluster recover --help`", what),
                 exit_misused);
  };
  const auto topic = arguments.options.find("--topic");
  if (topic == arguments.options.end()) return wrong("--topic is missing");
  if (!arguments.options.contains("--partition")) return wrong("--partition is missing");
  if (!read_number(arguments, "--partition", command.partition)) {
    return wrong("--partition: NUMBER is a number from 0 on");
  }
  command.topic = topic->second;
  command.accept_loss = arguments.options.contains("--accept-loss");
  return command;
}

Command cluster_command_of(const VerbArguments& arguments) {
  using What = ClusterCommand::What;
  const std::string_view name = arguments.verb->name;
  ClusterCommand command;
  command.what = name == "cluster add"       ? What::add
                 : name == "cluster remove"  ? What::remove
                 : name == "cluster forget"  ? What::forget
                 : name == "cluster recover" ? What::recover
                                             : What::status;
  const auto address = arguments.options.find("--bootstrap-server");
  command.address = address == arguments.options.end() ? default_bootstrap : address->second;
  if (command.what == What::status) return command;
  if (command.what == What::recover) return recover_command_of(arguments, std::move(command));
  const std::string& node = arguments.operands[0];
  const auto [end, error] = std::from_chars(node.data(), node.data() + node.size(), command.node);
  if (error == std::errc() && end == node.data() + node.size() && command.node >= 0) return command;
  return print(
      fmt::format("chronik: {}: NODE is a number from 0 on; see `chronik {} --help`", node, name),
      exit_misused);
}

Command command_of(VerbArguments arguments) {
  const std::string_view name = arguments.verb->name;
  if (name == "serve" || name == "dev" || name == "health") {
    ServeCommand command{
        .config_file = {}, .flags = std::move(arguments.settings), .dev = name == "dev"};
    const auto config = arguments.options.find("--config");
    if (config != arguments.options.end()) command.config_file = config->second;
    if (name == "health") return HealthCommand{std::move(command)};
    return command;
  }
  if (name.starts_with("log ")) return log_command_of(arguments);
  if (name == "metadata dump") return metadata_command_of(arguments);
  if (name.starts_with("cluster ")) return cluster_command_of(arguments);
  CHECK(name == "config list");
  return ConfigListCommand{
      .part = arguments.operands.empty() ? std::string() : arguments.operands[0],
      .properties = arguments.options.contains("--properties")};
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
