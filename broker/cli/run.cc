#include "broker/cli/run.h"

#include <ostream>

#include "base/log.h"
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

 private:
  const Surroundings& world_;
};

}  // namespace

int run(const std::vector<std::string>& arguments, const Surroundings& surroundings) {
  const Command command = parse_command_line(arguments);
  return std::visit(Runner(surroundings), command);
}

}  // namespace chronik::broker::cli
