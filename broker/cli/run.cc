#include "broker/cli/run.h"

#include <spdlog/fmt/fmt.h>

#include <ostream>

#include "base/log.h"
#include "broker/cli/health.h"
#include "broker/settings/reference.h"

namespace chronik::broker::cli {

namespace {

class Runner {
 public:
  explicit Runner(const Surroundings& world) : world_(world) {}

  int operator()(const PrintCommand& command) {
    (command.code == exit_fine ? world_.console.out : world_.console.err) << command.text << "\n";
    return command.code;
  }

  int operator()(const ServeCommand& command) {
    Result<Start> start = read_start(command, world_.environment, world_.disk);
    if (!start) {
      world_.console.err << "chronik: " << start.error().message << "\n";
      return exit_misused;
    }
    set_log_level(start->settings.log_level);
    for (const std::string& warning : start->config.warnings) log_warn(warning);
    return world_.programs.serve(std::move(start).value(), command.dev);
  }

  int operator()(const HealthCommand& command) {
    const Result<Start> start = read_start(command.broker, world_.environment, world_.disk);
    if (!start) {
      world_.console.err << "chronik: " << start.error().message << "\n";
      return exit_misused;
    }
    const Listener& listener = start->settings.listeners.front();
    const std::string host = local_host(listener);
    const std::string address = fmt::format("{}:{}", host, listener.port);
    const Result<void> answered = ask_health(host, listener.port, health_limit);
    if (answered) {
      world_.console.out << "the broker on " << address << " answers\n";
      return exit_fine;
    }
    world_.console.err << "chronik: no broker answers on " << address << ": "
                       << answered.error().message << "\n";
    return exit_failed;
  }

  int operator()(const ConfigListCommand& command) {
    if (command.properties) {
      world_.console.out << example_properties();
      return exit_fine;
    }
    const std::string text = settings_reference(command.part);
    if (text.empty()) {
      world_.console.err << "chronik: no setting has " << command.part << " in its name\n";
      return exit_misused;
    }
    world_.console.out << text;
    return exit_fine;
  }

  int operator()(const LogDumpCommand& command) {
    return dump_log(command, world_.disk, world_.console);
  }
  int operator()(const LogVerifyCommand& command) {
    return verify_log(command, world_.disk, world_.console);
  }
  int operator()(const LogRepairCommand& command) {
    return repair_log(command, world_.disk, world_.console);
  }
  int operator()(const MetadataDumpCommand& command) {
    return dump_metadata(command, world_.disk, world_.console);
  }
  int operator()(const ClusterCommand& command) {
    return run_cluster_command(command, world_.console);
  }

 private:
  const Surroundings& world_;
};

}  // namespace

int run(const std::vector<std::string>& arguments, const Surroundings& surroundings) {
  const Command command = parse_command_line(arguments);
  return std::visit(Runner(surroundings), command);
}

}  // namespace chronik::broker::cli
