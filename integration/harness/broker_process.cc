#include "integration/harness/broker_process.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "base/check.h"
#include "base/testing/source_tree.h"

namespace chronik::integration {

namespace {

using Clock = std::chrono::steady_clock;

std::string peer_script() {
  const char* shared = std::getenv("TEST_SHARED");
  const std::string folder = shared != nullptr ? shared : in_source_tree("../shared");
  return folder + "/peers/kafka";
}

// Process ids are unique among what runs, so an address made of one is too.
std::string own_address() {
  static std::atomic<unsigned> count = 0;
  const unsigned id = (static_cast<unsigned>(getpid()) & 0x3ffff) | (++count & 0x1f) << 18;
  return "127." + std::to_string(1 + (id >> 16)) + "." + std::to_string(id >> 8 & 0xff) + "." +
         std::to_string(id & 0xff);
}

// Kafka's start script wants two ports in a row.
int unused_port() {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  CHECK(bind(listener, reinterpret_cast<sockaddr*>(&address), size) == 0);
  CHECK(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  close(listener);
  return ntohs(address.sin_port);
}

bool accepts(const std::string& host, int port) {
  const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  CHECK(inet_pton(AF_INET, host.c_str(), &address.sin_addr) == 1);
  const bool connected =
      connect(client, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  close(client);
  return connected;
}

std::string tail_of(const std::string& log) {
  constexpr std::size_t most = 3000;
  return log.size() <= most ? log : log.substr(log.size() - most);
}

}  // namespace

bool in_ci() {
  const char* ci = std::getenv("CI");
  return ci != nullptr && std::string(ci) == "true";
}

bool BrokerProcess::is_kafka() {
  const char* broker = std::getenv("TEST_BROKER");
  return broker != nullptr && std::string(broker) == "kafka";
}

std::string BrokerProcess::program() {
  const char* program = std::getenv("TEST_PROGRAM");
  return program != nullptr ? program : in_build_tree("chronik");
}

BrokerProcess::BrokerProcess(Settings settings) : BrokerProcess(NotStarted{}, std::move(settings)) {
  start();
}

BrokerProcess::BrokerProcess(const NotStarted& place, Settings settings)
    : settings_(std::move(settings)) {
  std::string folder = std::filesystem::temp_directory_path() / "chronik-test-XXXXXX";
  CHECK(mkdtemp(folder.data()) != nullptr);
  directory_ = folder;
  if (is_kafka()) {
    port_ = unused_port();
  } else {
    host_ = place.host.empty() ? own_address() : place.host;
  }
  bootstrap_ = host_ + ":" + std::to_string(port_);
  settings_.try_emplace("group.initial.rebalance.delay.ms", "0");
  settings_.try_emplace("auto.create.topics.enable", "false");
}

BrokerProcess::~BrokerProcess() {
  kill();
  const std::string log = this->log();
  for (const char* sanitizer : {"ERROR: AddressSanitizer", "ERROR: LeakSanitizer",
                                "WARNING: ThreadSanitizer", ": runtime error: "}) {
    const std::size_t at = log.find(sanitizer);
    if (at != std::string::npos) ADD_FAILURE() << "the broker's log: " << log.substr(at, 6000);
  }
  if (keep_directory_ || ::testing::Test::HasFailure()) {
    if (!keep_directory_) std::cerr << "the end of the broker's log:\n" << tail_of(log) << "\n";
    std::cerr << "the broker's log and data are kept in " << directory_ << "\n";
    return;
  }
  std::filesystem::remove_all(directory_);
}

void BrokerProcess::write_properties() const {
  std::ofstream file(directory_ + "/server.properties");
  Settings all{{"listeners", "PLAINTEXT://" + bootstrap_}, {"log.dirs", data_directory()}};
  for (const auto& [name, value] : settings_) all[name] = value;
  for (const auto& [name, value] : all) file << name << "=" << value << "\n";
}

void BrokerProcess::launch() {
  write_properties();
  std::vector<std::string> command = wrapper_;
  for (const std::string& word : {program(), std::string("serve"), std::string("--config"),
                                  directory_ + "/server.properties"}) {
    command.push_back(word);
  }
  process_ = ChildProcess(command, directory_ + "/broker.log");
}

void BrokerProcess::start() {
  CHECK(!process_.running());
  if (is_kafka()) {
    start_kafka(!std::filesystem::exists(directory_ + "/server.properties"));
    return;
  }
  launch();
  wait_until_it_answers();
}

void BrokerProcess::start_kafka(bool first) {
  std::vector<std::string> command{peer_script(), first ? "start" : "launch", directory_,
                                   std::to_string(port_)};
  if (first) {
    for (const auto& [name, value] : settings_) {
      command.push_back(fmt::format("{}={}", name, value));
    }
  }
  setenv("KAFKA_HEAP", "-Xmx512m -Xms256m", 0);
  if (run_program(command, directory_ + "/start.log") == 0) return;
  std::cerr << "Apache Kafka does not start: see " << directory_ << "\n";
  std::exit(1);
}

void BrokerProcess::wait_until_it_answers() {
  const auto deadline = Clock::now() + std::chrono::seconds(60);
  while (!accepts(host_, port_)) {
    // The wait ends early when the broker does.
    if (process_.wait(std::chrono::milliseconds(2)).has_value() || Clock::now() > deadline) {
      std::cerr << "the broker does not start; its log:\n" << log() << "\n";
      std::exit(1);
    }
  }
}

std::string BrokerProcess::log() const {
  std::ifstream file(directory_ + (is_kafka() ? "/server.log" : "/broker.log"));
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

void BrokerProcess::kill() {
  if (is_kafka()) {
    run_program({peer_script(), "kill", directory_}, directory_ + "/start.log");
    return;
  }
  process_.kill();
}

int BrokerProcess::stop() {
  if (is_kafka()) {
    return run_program({peer_script(), "stop", directory_}, directory_ + "/start.log");
  }
  process_.send_signal(SIGTERM);
  return wait_for_end(std::chrono::seconds(30));
}

int BrokerProcess::wait_for_end(std::chrono::milliseconds limit) {
  return process_.wait(limit).value_or(-1);
}

}  // namespace chronik::integration
