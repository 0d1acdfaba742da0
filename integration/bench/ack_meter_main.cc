// ack_meter: a producer of librdkafka with acks=all and an even pace, and the longest time in which
// nothing was acknowledged to it. See --help.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <thread>

#include "integration/harness/kafka_client.h"
#include "integration/kill/record_ledger.h"

namespace chronik::integration {
namespace {

using Clock = RecordLedger::Clock;

struct Options {
  std::string bootstrap;
  std::string topic;
  int records_per_second = 1000;
  int patience_s = 60;
};

class AckMeter {
 public:
  // Everything else is librdkafka's default, those settings included that the tests shorten.
  explicit AckMeter(const Options& options)
      : options_(options),
        producer_(options.bootstrap, {{"acks", "all"},
                                      {"message.timeout.ms", "300000"},
                                      {"reconnect.backoff.ms", "100"},
                                      {"reconnect.backoff.max.ms", "10000"}}),
        writer_(ledger_.new_writer()),
        thread_([this](const std::stop_token& stop) { write(stop); }) {}

  void begin() { begin_ = Clock::now(); }
  /// In milliseconds; negative: nothing was acknowledged in time.
  double end() {
    if (!ledger_.await_acks(std::chrono::seconds(options_.patience_s)).empty()) return -1;
    return static_cast<double>(ledger_.longest_pause(begin_, Clock::now()).count()) / 1000;
  }

 private:
  void write(const std::stop_token& stop) {
    const std::chrono::nanoseconds interval(1'000'000'000 / options_.records_per_second);
    for (auto due = Clock::now(); !stop.stop_requested();) {
      for (; due <= Clock::now(); due += interval) {
        const RecordName name = ledger_.hand_out(writer_, 0);
        producer_.produce(options_.topic, 0, record_value(name));
      }
      producer_.poll(std::chrono::milliseconds(1));
      for (const Message& message : producer_.take_deliveries()) {
        const std::optional<RecordName> name = read_record(*message.value);
        if (name && message.error == RD_KAFKA_RESP_ERR_NO_ERROR) {
          ledger_.acknowledge(0, *name, message.offset);
        }
      }
    }
  }

  const Options options_;
  RecordLedger ledger_{1};
  Producer producer_;
  const int writer_;
  Clock::time_point begin_ = Clock::now();
  std::jthread thread_;
};

int run(const Options& options) {
  AckMeter meter(options);
  for (std::string command; std::getline(std::cin, command);) {
    if (command == "begin") {
      meter.begin();
      fmt::print("begun\n");
    } else if (command == "end") {
      fmt::print("{:.1f}\n", meter.end());
    } else {
      fmt::print(stderr, "no command '{}'\n", command);
      return 1;
    }
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace chronik::integration

int main(int argc, char** argv) {
  chronik::integration::Options options;
  CLI::App app(
      "Writes to partition 0 with acks=all at an even pace. Each line of stdin is a command:\n"
      "'begin' starts to look; 'end' waits until a record that is written from now on is\n"
      "acknowledged, and prints the longest time without an acknowledgement since 'begin', in\n"
      "milliseconds (-1.0: none came). Ends with its input.");
  app.add_option("--bootstrap", options.bootstrap, "where to connect first")->required();
  app.add_option("--topic", options.topic, "where to write")->required();
  app.add_option("--records-per-second", options.records_per_second, "the pace")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app.add_option("--patience", options.patience_s, "seconds that 'end' waits")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  return chronik::integration::run(options);
}
