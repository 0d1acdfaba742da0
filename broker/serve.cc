#include "broker/serve.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <future>
#include <string>
#include <thread>

#include "base/log.h"
#include "broker/cli/command_line.h"
#include "broker/net/acceptor.h"
#include "broker/server.h"

namespace chronik::broker {

namespace {

// A stop lets clients finish for the first while, and must be over before a supervisor's patience
// (10 s) is.
constexpr milliseconds stop_grace{4'000};
constexpr std::chrono::seconds stop_limit{9};

sigset_t block_end_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

/// Whether one has come; it is taken.
bool pending(const sigset_t& signals) {
  const timespec now{0, 0};
  return sigtimedwait(&signals, nullptr, &now) > 0;
}

std::string address_of(const Server& server) {
  const Listener& listener = server.listeners().front();
  const bool all = listener.host.empty() || listener.host == "0.0.0.0" || listener.host == "::";
  return (all ? "localhost" : listener.host) + ":" + std::to_string(listener.port);
}

/// Ends the process when the stop takes too long or a second signal asks for it.
int stop_in_time(Server& server, const sigset_t& signals) {
  std::promise<void> stopped;
  std::thread stopper([&] {
    server.stop(stop_grace);
    stopped.set_value();
    // Wakes the wait below.
    ::kill(::getpid(), SIGTERM);
  });
  const timespec limit{stop_limit.count(), 0};
  const int signal = sigtimedwait(&signals, nullptr, &limit);
  if (stopped.get_future().wait_for(std::chrono::seconds(0)) == std::future_status::ready) {
    stopper.join();
    return cli::exit_fine;
  }
  log_error(signal > 0 ? "a second signal: ending at once" : "the stop takes too long: ending");
  _exit(cli::exit_failed);
}

}  // namespace

int serve(cli::Start start, bool dev, Disk& disk) {
  const sigset_t signals = block_end_signals();
  const SystemClock clock;
  const SteadyTime begin = clock.steady_now();
  const std::string directory = start.settings.log_dirs.front();
  Result<std::unique_ptr<Server>> started =
      Server::start(std::move(start.config), std::move(start.settings), disk, clock,
                    [&signals] { return pending(signals); });
  if (!started && started.error().code == Errc::closed) {
    log_info("stopped", {{"why", started.error().message}});
    return cli::exit_fine;
  }
  if (!started) {
    std::fprintf(stderr, "chronik: %s\n", started.error().message.c_str());
    return cli::exit_failed;
  }
  Server& server = **started;
  for (const Listener& listener : server.listeners()) {
    log_info("listening", {{"listener", to_text(listener)}});
  }
  const auto took = std::chrono::duration_cast<milliseconds>(clock.steady_now() - begin);
  log_info("started",
           {{"cluster_id", server.cluster_id()}, {"data", directory}, {"took_ms", took.count()}});
  if (dev) {
    std::fputs(cli::how_to_connect(address_of(server), directory).c_str(), stdout);
    std::fflush(stdout);
  }

  int signal = 0;
  sigwait(&signals, &signal);
  log_info("stopping", {{"signal", signal == SIGINT ? "SIGINT" : "SIGTERM"}});
  const int code = stop_in_time(server, signals);
  log_info("stopped");
  return code;
}

}  // namespace chronik::broker
