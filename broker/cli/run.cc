#include "broker/cli/run.h"

#include <ostream>

#include "base/log.h"
#include "broker/settings/reference.h"

namespace chronik::broker::cli {

namespace {

class Runner {
 public:
  Runner(const Environment& environment, Disk& disk, const Programs& programs, std::ostream& out,
         std::ostream& err)
      : environment_(environment), disk_(disk), programs_(programs), out_(out), err_(err) {}

  int operator()(const PrintCommand& command) {
    (command.code == exit_fine ? out_ : err_) << command.text << "\n";
    return command.code;
  }

  int operator()(const ServeCommand& command) {
    Result<Start> start = read_start(command, environment_, disk_);
    if (!start) {
      err_ << "chronik: " << start.error().message << "\n";
      return exit_misused;
    }
    set_log_level(start->settings.log_level);
    for (const std::string& warning : start->config.warnings) log_warn(warning);
    return programs_.serve(std::move(start).value(), command.dev);
  }

  int operator()(const ConfigListCommand& command) {
    if (command.properties) {
      out_ << example_properties();
      return exit_fine;
    }
    const std::string text = settings_reference(command.part);
    if (text.empty()) {
      err_ << "chronik: no setting has " << command.part << " in its name\n";
      return exit_misused;
    }
    out_ << text;
    return exit_fine;
  }

 private:
  const Environment& environment_;
  Disk& disk_;
  const Programs& programs_;
  std::ostream& out_;
  std::ostream& err_;
};

}  // namespace

int run(const std::vector<std::string>& arguments, const Environment& environment, Disk& disk,
        const Programs& programs, std::ostream& out, std::ostream& err) {
  const Command command = parse_command_line(arguments);
  return std::visit(Runner(environment, disk, programs, out, err), command);
}

}  // namespace chronik::broker::cli
