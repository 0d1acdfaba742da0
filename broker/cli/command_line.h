// The command line: which command, with what. Pure: prints nothing, ends nothing; help and mistakes
// come back as text and exit code. Settings (--key=value) are not judged here but in
// broker/settings/start_config.h.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "broker/cli/cluster_commands.h"
#include "broker/cli/log_commands.h"
#include "broker/cli/metadata_commands.h"

namespace chronik::broker::cli {

// Exit codes of the program.
inline constexpr int exit_fine = 0;
inline constexpr int exit_failed = 1;   // it ran and something went wrong
inline constexpr int exit_misused = 2;  // the command line or a setting is at fault

struct ServeCommand {
  std::optional<std::string> config_file;
  std::vector<std::string> flags;  // "--key=value"
  /// No file, the data under the user's state directory, loopback only, no waiting for a first
  /// rebalance, and help on how to connect.
  bool dev = false;
};

/// Asks the broker that `serve` would be with the same file and settings.
struct HealthCommand {
  ServeCommand broker;
};

struct ConfigListCommand {
  std::string part;  // names that contain it
  bool properties = false;
};

/// Nothing to do but to print: to stdout when `code` is exit_fine, else to stderr.
struct PrintCommand {
  std::string text;
  int code = exit_fine;
};

using Command =
    std::variant<ServeCommand, HealthCommand, ConfigListCommand, LogDumpCommand, LogVerifyCommand,
                 LogRepairCommand, MetadataDumpCommand, ClusterCommand, PrintCommand>;

/// `arguments` without the program's name.
Command parse_command_line(const std::vector<std::string>& arguments);

}  // namespace chronik::broker::cli
