// The program: arguments and environment to the command line room, SIGTERM and SIGINT to a clean
// end.
#include <signal.h>

#include <chrono>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/posix_disk.h"
#include "broker/cli/run.h"
#include "broker/server.h"

namespace {

using namespace chronik;
using namespace chronik::broker;

constexpr std::chrono::seconds stop_grace{5};

/// Blocks until somebody asks the process to end. The signals are blocked in every thread, so that
/// this one gets them.
int wait_for_signal(const sigset_t& signals) {
  int signal = 0;
  sigwait(&signals, &signal);
  return signal;
}

int serve(cli::Start start, bool dev, Disk& disk, const sigset_t& signals) {
  const SystemClock clock;
  const auto began = clock.steady_now();
  const std::string directory = start.settings.log_dirs.front();
  Result<std::unique_ptr<Server>> server =
      Server::start(std::move(start.config), std::move(start.settings), disk, clock);
  if (!server) {
    std::cerr << "chronik: " << server.error().message << "\n";
    return 1;
  }
  for (const Listener& listener : (*server)->listeners()) {
    log_info("listening", {{"listener", listener.name},
                           {"address", fmt::format("{}:{}", listener.host, listener.port)}});
  }
  const auto took =
      std::chrono::duration_cast<std::chrono::milliseconds>(clock.steady_now() - began);
  log_info("started", {{"cluster_id", (*server)->cluster_id()}, {"took_ms", took.count()}});
  if (dev) {
    const Listener& listener = (*server)->listeners().front();
    std::cout << cli::how_to_connect(fmt::format("{}:{}", listener.host, listener.port), directory)
              << std::flush;
  }
  const int signal = wait_for_signal(signals);
  log_info("stopping", {{"signal", signal}});
  (*server)->stop(stop_grace);
  log_info("stopped");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);

  PosixDisk disk;
  cli::Programs programs;
  programs.serve = [&](cli::Start start, bool dev) {
    return serve(std::move(start), dev, disk, signals);
  };
  return cli::run(std::vector<std::string>(argv + 1, argv + argc), cli::process_environment(), disk,
                  programs, std::cout, std::cerr);
}
