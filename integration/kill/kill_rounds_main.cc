// kill_rounds: kills a broker (kill -9) again and again under load and checks that it keeps what it
// acknowledged. See --help.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <random>

#include "base/check.h"
#include "integration/harness/admin.h"
#include "integration/harness/broker_process.h"
#include "integration/kill/offset_load.h"
#include "integration/kill/record_load.h"
#include "integration/kill/topic_load.h"

namespace chronik::integration {
namespace {

using std::chrono::milliseconds;

struct Options {
  int rounds = 20;
  std::uint64_t seed = 0;
  int load_ms_max = 500;
  int check_every = 5;
};

class KillRounds {
 public:
  explicit KillRounds(const Options& options)
      : options_(options),
        random_(options.seed),
        broker_(Settings{{"log.segment.bytes", "16777216"}}) {
    CHECK(Admin(broker_.bootstrap())
              .create_topic({.name = "records", .partitions = RecordLoad::partitions})
              .ok());
    for (int i = 0; i < 2; ++i) {
      const std::string topic = "records-" + std::to_string(i);
      CHECK(Admin(broker_.bootstrap())
                .create_topic({.name = topic, .partitions = RecordLoad::partitions})
                .ok());
      loads_.push_back(std::make_unique<RecordLoad>(broker_.bootstrap(), topic, random_.next()));
    }
    loads_.push_back(std::make_unique<OffsetLoad>(broker_.bootstrap(), "records",
                                                  RecordLoad::partitions, random_.next()));
    loads_.push_back(std::make_unique<TopicLoad>(broker_.bootstrap(), random_.next()));
  }

  /// The exit status.
  int run() {
    {
      std::vector<std::unique_ptr<LoadThread>> threads;
      for (auto& load : loads_) threads.push_back(std::make_unique<LoadThread>(*load, gate_));
      for (round_ = 1; round_ <= options_.rounds && problems_.empty(); ++round_) {
        kill_and_start();
        if (round_ % options_.check_every == 0) check(false);
      }
    }
    if (problems_.empty()) {
      for (auto& load : loads_) load->finish();
      kill_and_start();
      check(true);
    }
    return report();
  }

 private:
  void kill_and_start() {
    // The load goes on while we wait; the wait ends early only if the broker dies by itself.
    const milliseconds wait(random_.below(static_cast<std::uint64_t>(options_.load_ms_max)));
    if (broker_.wait_for_end(wait) != -1) {
      problems_.push_back("the broker ended by itself");
      return;
    }
    broker_.kill();
    // Every fourth time the start is killed too, at a moment of its own.
    for (std::uint64_t again = random_.below(4) == 0 ? 1 + random_.below(3) : 0; again > 0;
         --again) {
      broker_.launch();
      broker_.wait_for_end(milliseconds(random_.below(40)));
      broker_.kill();
      ++kills_;
    }
    ++kills_;
    const auto begin = std::chrono::steady_clock::now();
    broker_.start();
    starts_.push_back(
        std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begin));
  }

  void check(bool all) {
    gate_.close();
    for (auto& load : loads_) load->check(all, problems_);
    gate_.open();
    fmt::print("round {}: {} kills, {} problems\n", std::min(round_, options_.rounds), kills_,
               problems_.size());
    std::fflush(stdout);
  }

  int report() {
    for (const std::string& problem : problems_) fmt::print("PROBLEM: {}\n", problem);
    for (const auto& load : loads_) fmt::print("{}\n", load->counts());
    std::sort(starts_.begin(), starts_.end());
    fmt::print("{} kills, seed {}, start after a kill: median {} ms, longest {} ms; {}\n", kills_,
               options_.seed, starts_.empty() ? 0 : starts_[starts_.size() / 2].count(),
               starts_.empty() ? 0 : starts_.back().count(),
               problems_.empty() ? "nothing lost, doubled or reordered"
                                 : fmt::format("{} problems", problems_.size()));
    if (problems_.empty()) return 0;
    broker_.keep_directory();
    fmt::print("again: kill_rounds --rounds {} --seed {}; the data is kept in {}\n",
               options_.rounds, options_.seed, broker_.directory());
    return 1;
  }

  const Options options_;
  Random random_;
  BrokerProcess broker_;
  StepGate gate_;
  std::vector<std::unique_ptr<Load>> loads_;
  std::vector<milliseconds> starts_;
  Problems problems_;
  int round_ = 0;
  int kills_ = 0;
};

}  // namespace
}  // namespace chronik::integration

int main(int argc, char** argv) {
  chronik::integration::Options options;
  options.seed = std::random_device{}();
  CLI::App app(
      "Kills a broker again and again under load: idempotent producers with acks=all, offset\n"
      "commits, topics created and deleted. After every few kills, and at the end from the first\n"
      "record on, what the broker has is compared with what it acknowledged.");
  app.add_option("--rounds", options.rounds, "kills (and at times more while it starts)")
      ->capture_default_str();
  app.add_option("--seed", options.seed, "of the moments and the load; random if not given");
  app.add_option("--load-ms-max", options.load_ms_max, "longest time between two kills")
      ->capture_default_str();
  app.add_option("--check-every", options.check_every, "rounds")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  fmt::print("{} rounds, seed {}\n", options.rounds, options.seed);
  std::fflush(stdout);
  return chronik::integration::KillRounds(options).run();
}
