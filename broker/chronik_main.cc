// chronik: the program. Everything is elsewhere: the commands in broker/cli, the broker in
// broker/server.h.

#include <unistd.h>

#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "base/posix_disk.h"
#include "broker/cli/run.h"
#include "broker/serve.h"

int main(int argc, char** argv) {
  using namespace chronik;
  PosixDisk disk;
  broker::cli::Programs programs;
  programs.serve = [&disk](broker::cli::Start start, bool dev) {
    return broker::serve(std::move(start), dev, disk);
  };
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const broker::cli::Environment environment = broker::cli::process_environment();
  const broker::cli::Console console{std::cout, std::cerr, ::isatty(STDERR_FILENO) == 1};
  return broker::cli::run(arguments, {environment, disk, programs, console});
}
