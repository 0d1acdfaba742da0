// From `chronik serve` and `chronik dev` to settings: reads the file and takes the environment in.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "broker/cli/command_line.h"
#include "broker/settings/live_settings.h"

namespace chronik::broker::cli {

using Environment = std::vector<std::pair<std::string, std::string>>;

/// A copy of the process's environment.
Environment process_environment();

struct Start {
  StartConfig config;
  Settings settings;
};

/// Errors: invalid_argument, not_found, io; one line that says what to do.
Result<Start> read_start(const ServeCommand& command, const Environment& environment, Disk& disk);

/// Where `chronik dev` keeps its data: the state directory of the XDG base directory specification.
/// Errors: invalid_argument when the environment names no home.
Result<std::string> dev_data_directory(const Environment& environment);

/// What `chronik dev` prints once the broker answers on `address` (host:port).
std::string how_to_connect(const std::string& address, const std::string& data_directory);

}  // namespace chronik::broker::cli
