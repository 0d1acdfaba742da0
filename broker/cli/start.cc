#include "broker/cli/start.h"

#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include "broker/cli/version.h"

namespace chronik::broker::cli {

namespace {

constexpr std::uint64_t config_file_bytes_max = 1 << 20;

std::string variable(const Environment& environment, std::string_view name) {
  for (const auto& [key, value] : environment) {
    if (key == name) return value;
  }
  return {};
}

std::string host_name() {
  char name[256] = {};
  // Empty where the system does not tell: then node.id must.
  if (::gethostname(name, sizeof name - 1) != 0) return {};
  return name;
}

Result<StartSources::File> read_config_file(const std::string& path, Disk& disk) {
  auto opened = disk.open(path, OpenMode::read);
  if (!opened) {
    Error error = std::move(opened).error();
    if (error.code == Errc::not_found) {
      return Error{Errc::not_found,
                   fmt::format("--config={}: there is no such file; `chronik config list "
                               "--properties` prints one to start from",
                               path)};
    }
    return Error{error.code, fmt::format("--config={}: {}", path, error.message)};
  }
  File& file = **opened;
  TRY_ASSIGN(const std::uint64_t size, file.size());
  if (size > config_file_bytes_max) {
    return Error{Errc::too_large, fmt::format("--config={}: {} bytes are no file of settings; at "
                                              "most {} are read",
                                              path, size, config_file_bytes_max)};
  }
  Bytes bytes(static_cast<std::size_t>(size));
  auto read = file.read_at(0, bytes);
  if (!read)
    return Error{read.error().code, fmt::format("--config={}: {}", path, read.error().message)};
  bytes.resize(*read);
  return StartSources::File{path, std::string(bytes.begin(), bytes.end())};
}

}  // namespace

Environment process_environment() {
  Environment result;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos || equals == 0) continue;
    result.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return result;
}

Result<std::string> dev_data_directory(const Environment& environment) {
  if (std::string state = variable(environment, "XDG_STATE_HOME"); state.starts_with('/')) {
    return state + "/chronik";
  }
  const std::string home = variable(environment, "HOME");
  if (home.starts_with('/')) return home + "/.local/state/chronik";
  return Error{Errc::invalid_argument,
               "neither XDG_STATE_HOME nor HOME is set; say where the data goes with "
               "--log.dirs=DIR"};
}

Result<Start> read_start(const ServeCommand& command, const Environment& environment, Disk& disk) {
  StartSources sources;
  sources.environment = environment;
  sources.flags = command.flags;
  sources.host_name = host_name();
  if (command.dev) {
    sources.command = {{"listeners", "PLAINTEXT://127.0.0.1:9092"},
                       {"group.initial.rebalance.delay.ms", "0"}};
    auto directory = dev_data_directory(environment);
    if (directory) {
      sources.command.emplace_back("log.dirs", *directory);
    } else {
      // Only a mistake when nobody else says where.
      TRY_ASSIGN(const StartConfig config, read_start_config(sources));
      if (config.values.find("log.dirs") == nullptr && config.values.find("log.dir") == nullptr) {
        return std::move(directory).error();
      }
    }
  }
  if (command.config_file) {
    TRY_ASSIGN(sources.file, read_config_file(*command.config_file, disk));
  }
  TRY_ASSIGN(StartConfig config, read_start_config(sources));
  TRY_ASSIGN(Settings settings, start_settings(config));
  if (settings.cluster) {
    for (std::string& line : cluster_warnings(*settings.cluster)) {
      config.warnings.push_back(std::move(line));
    }
  }
  return Start{std::move(config), std::move(settings)};
}

std::string how_to_connect(const std::string& address, const std::string& data_directory) {
  return fmt::format(
      "chronik {0} answers on {1}, data in {2}\n"
      "\n"
      "  kcat -b {1} -L                                   what is there\n"
      "  echo hello | kcat -b {1} -t test -P              write a record\n"
      "  kcat -b {1} -t test -C -e                        read the records\n"
      "  kafka-topics.sh --bootstrap-server {1} --list    Kafka's own tools work too\n"
      "\n"
      "Ctrl-C stops it; the data stays. --key=value changes a setting; `chronik config list` "
      "prints "
      "all.\n",
      version(), address, data_directory);
}

}  // namespace chronik::broker::cli
