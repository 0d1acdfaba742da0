// The commands of the program, from arguments to exit code. main() hands in what runs a broker, so
// that this room does not depend on the server.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "broker/cli/log_commands.h"
#include "broker/cli/start.h"

namespace chronik::broker::cli {

struct Programs {
  /// Runs a broker until it is told to end; its exit code. `dev`: print how_to_connect() once it
  /// answers.
  std::function<int(Start start, bool dev)> serve;
};

/// What a command may use of the world.
struct Surroundings {
  const Environment& environment;
  Disk& disk;
  const Programs& programs;
  Console console;
};

/// Prints results to `out`, mistakes to `err` in one line that begins with "chronik: ".
int run(const std::vector<std::string>& arguments, const Surroundings& surroundings);

}  // namespace chronik::broker::cli
