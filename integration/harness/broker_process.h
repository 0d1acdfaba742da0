// A broker in a process of its own, on a directory of its own: what every test in integration/
// talks to. It is `chronik` from the build directory (or $TEST_PROGRAM); with
// TEST_BROKER=kafka it is Apache Kafka by $TEST_SHARED/peers/kafka (../shared), so that
// a test can be judged by the original.
//
// chronik gets an address of 127.0.0.0/8 of its own, so that no port is shared and a restart finds
// it free again.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "integration/harness/child_process.h"

namespace chronik::integration {

/// Settings in Kafka's names, added to those of the harness.
using Settings = std::map<std::string, std::string>;

class BrokerProcess {
 public:
  /// Starts on an empty directory and returns when the broker answers. Ends the test process when
  /// it does not come up, with the tail of its log.
  explicit BrokerProcess(Settings settings = {});
  /// With an address and a directory, but not started.
  struct NotStarted {
    std::string host = {};  // empty: one of 127.0.0.0/8 that nobody else has
  };
  BrokerProcess(const NotStarted& place, Settings settings);
  BrokerProcess(const BrokerProcess&) = delete;
  BrokerProcess& operator=(const BrokerProcess&) = delete;
  /// Kills the broker. The directory goes, unless a test has failed: then its place is printed.
  ~BrokerProcess();

  /// For bootstrap.servers.
  const std::string& bootstrap() const { return bootstrap_; }
  const std::string& host() const { return host_; }
  int port() const { return port_; }
  const std::string& directory() const { return directory_; }
  /// The destructor leaves log and data, whatever the test's outcome.
  void keep_directory() { keep_directory_ = true; }
  std::string data_directory() const { return directory_ + "/data"; }
  pid_t id() const { return process_.id(); }
  bool running() { return process_.running(); }
  /// Everything that the broker wrote to stdout and stderr.
  std::string log() const;

  void kill();  // kill -9
  int stop();   // SIGTERM; the exit status
  void send_signal(int signal) const { process_.send_signal(signal); }
  void start();  // the same directory and address
  /// Without waiting for an answer: for tests of starts that fail.
  void launch();
  /// Waits until the process ends by itself; -1 when it does not.
  int wait_for_end(std::chrono::milliseconds limit = std::chrono::seconds(20));
  void restart() { stop(), start(); }
  void restart_after_kill() { kill(), start(); }

  /// What the next start uses.
  Settings& settings() { return settings_; }
  /// A program that starts the broker in its place, with its arguments (prlimit --nofile=200).
  void set_wrapper(std::vector<std::string> command) { wrapper_ = std::move(command); }

  static bool is_kafka();
  static std::string program();

 private:
  void write_properties() const;
  void wait_until_it_answers();
  void start_kafka(bool first);

  Settings settings_;
  std::vector<std::string> wrapper_;
  std::string directory_;
  std::string host_ = "127.0.0.1";
  int port_ = 9092;
  std::string bootstrap_;
  bool keep_directory_ = false;
  ChildProcess process_;
};

/// Whether a peer that a user may lack is there. If not: in CI (CI=true) a failure, else a skip.
#define REQUIRE_PEER(condition, why)                        \
  do {                                                      \
    if (!(condition)) {                                     \
      if (::chronik::integration::in_ci()) FAIL() << (why); \
      GTEST_SKIP() << "skipped: " << (why);                 \
    }                                                       \
  } while (false)

bool in_ci();

}  // namespace chronik::integration
