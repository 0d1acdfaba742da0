// partition_rounds: nodes whose partitions are replicated and move, of which one after the other
// fails under load. See --help.
#include <fmt/format.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <random>
#include <set>

#include "base/check.h"
#include "integration/harness/admin.h"
#include "integration/kill/cluster_view.h"
#include "integration/kill/gap_figures.h"
#include "integration/kill/group_reader.h"
#include "integration/kill/judge_topic.h"
#include "integration/kill/move_load.h"
#include "integration/kill/offset_load.h"
#include "integration/kill/partition_faults.h"
#include "integration/kill/replicated_load.h"
#include "integration/kill/stored_partitions.h"
#include "integration/kill/topic_load.h"
#include "integration/kill/trim_load.h"

namespace chronik::integration {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr int voters = ClusterProcesses::size;
constexpr int replicas = 3;
constexpr int producers = 3;
constexpr int trimmed_partitions = 2;
constexpr int trimmed_per_second = 200;
constexpr milliseconds comes_back_within{60'000};
// With partitions that were on their way when the fault came.
constexpr milliseconds whole_within{120'000};
constexpr std::uint64_t disk_bytes = std::uint64_t{8} << 30;
constexpr const char* records = "records";
constexpr const char* trimmed = "trimmed";

std::atomic<bool> interrupted = false;

struct Options {
  int rounds = 500;
  std::uint64_t seed = 0;
  int records_per_second = 2'000;
  int partitions = 12;
  int observers = 2;
  int check_every = 50;
  int load_ms_max = 500;
  std::vector<std::string> faults = PartitionFaults::kinds();
};

class PartitionRounds {
 public:
  PartitionRounds(const Options& options, NodeNetwork* network, std::unique_ptr<NodeDisks> disks)
      : options_(options),
        random_(options.seed),
        cluster_(ClusterProcesses::NotStarted{}, {{"log.segment.bytes", "67108864"}}, network,
                 options.observers, voters + options.observers),
        connections_(cluster_),
        view_(cluster_, records),
        trimmed_view_(cluster_, trimmed),
        disks_(std::move(disks)),
        faults_(cluster_, connections_, network, random_, problems_),
        ledger_(options.partitions),
        readings_(options.partitions) {
    if (disks_ == nullptr) return;
    for (int id = 1; id <= nodes(); ++id) {
      const auto added = disks_->add(node(id).data_directory(), disk_bytes);
      CHECK_MSG(added.has_value(), added.error().message);
    }
  }
  ~PartitionRounds() {
    for (int id = 1; id <= nodes(); ++id) node(id).kill();
  }

  /// The exit status.
  int run() {
    start_all();
    make_loads();
    {
      std::vector<std::unique_ptr<LoadThread>> threads;
      for (auto& load : loads_) threads.push_back(std::make_unique<LoadThread>(*load, gate_));
      await_acks("the start");
      await_whole(1);
      for (round_ = 1; goes_on(); ++round_) {
        round();
        if (round_ % options_.check_every == 0 && goes_on()) check();
      }
      if (!problems_.empty()) give_up();
    }
    if (goes_well()) {
      for (auto& load : loads_) load->finish();
      check();
    }
    return report();
  }

 private:
  // What was interrupted is not judged: nobody waited for it to settle.
  bool goes_well() const { return problems_.empty() && !interrupted; }
  bool goes_on() const { return round_ <= options_.rounds && goes_well(); }
  int nodes() const { return cluster_.count(); }
  BrokerProcess& node(int id) { return cluster_.node(id); }
  void say(const std::string& problem) { problems_.push_back(problem); }

  /// All nodes, none of which runs; until each takes changes.
  void start_all() {
    cluster_.launch();
    for (int id = 1; id <= nodes(); ++id) {
      if (cluster_.knows(id, nodes(), whole_within)) continue;
      fmt::print("node {} does not answer within {} s; its log:\n{}\n", id,
                 whole_within.count() / 1000, node(id).log());
      std::exit(1);
    }
  }

  void make_loads() {
    const std::string all = cluster_.bootstrap();
    make_topic(records, options_.partitions);
    make_topic(trimmed, trimmed_partitions);
    for (int i = 0; i < producers; ++i) {
      loads_.push_back(std::make_unique<ReplicatedLoad>(
          all, records, std::max(1, options_.records_per_second / producers), ledger_,
          random_.next()));
    }
    loads_.push_back(std::make_unique<GroupReader>(std::vector<std::string>(2, all), records,
                                                   options_.partitions, readings_, random_.next()));
    loads_.push_back(std::make_unique<OffsetLoad>(all, records, options_.partitions, random_.next(),
                                                  ClientConfig{{"socket.timeout.ms", "3000"}}));
    topics_ = &add(std::make_unique<TopicLoad>(all, random_.next(), "churn", -1, replicas));
    loads_.push_back(std::make_unique<ReplicatedLoad>(all, trimmed, trimmed_per_second,
                                                      trimmed_ledger_, random_.next()));
    trims_ = &add(std::make_unique<TrimLoad>(cluster_, trimmed, trimmed_ledger_, random_.next()));
    moves_ = &add(std::make_unique<MoveLoad>(
        cluster_,
        std::vector<MoveLoad::Topic>{{records, options_.partitions}, {trimmed, trimmed_partitions}},
        random_.next()));
  }
  template <class Kind>
  Kind& add(std::unique_ptr<Kind> load) {
    Kind& added = *load;
    loads_.push_back(std::move(load));
    return added;
  }
  void make_topic(const std::string& name, int partitions) {
    const Outcome made =
        Admin(cluster_.bootstrap())
            .create_topic({.name = name, .partitions = partitions, .replication = replicas});
    if (made.ok()) return;
    fmt::print("topic {} cannot be made: {}\n", name, made.message);
    std::exit(1);
  }

  milliseconds up_to(milliseconds most) {
    return milliseconds(random_.below(static_cast<std::uint64_t>(most.count())));
  }
  /// The load goes on meanwhile; the wait ends early if the node dies by itself.
  void let_pass(milliseconds time, int watched) {
    if (node(watched).wait_for_end(time) == -1 || interrupted) return;
    say(fmt::format("node {} ended by itself", watched));
  }
  bool all_run() {
    for (int id = 1; id <= nodes(); ++id) {
      if (!node(id).running()) return false;
    }
    return true;
  }
  int other(int id, int step) const { return (id - 1 + step) % nodes() + 1; }
  int any_node() {
    return 1 + static_cast<int>(random_.below(static_cast<std::uint64_t>(nodes())));
  }

  struct Hit {
    std::string fault;
    int node = 0;
  };
  using Hits = std::vector<Hit>;
  static std::set<int> nodes_of(const Hits& hits) {
    std::set<int> those;
    for (const Hit& hit : hits) those.insert(hit.node);
    return those;
  }
  static std::string text_of(const Hits& hits) {
    std::string text;
    for (const Hit& hit : hits) {
      text += fmt::format("{}{} of node {}", text.empty() ? "" : " and ", hit.fault, hit.node);
    }
    return text;
  }

  void round() {
    const std::string fault = options_.faults[random_.below(options_.faults.size())];
    const int victim = any_node();
    moves_->set_mode(MoveLoad::Mode::any_size);
    let_pass(up_to(milliseconds(options_.load_ms_max)), victim);
    // One replica is lost for good: it may not be the only one.
    if (fault == "wipe") make_wide(victim);
    if (fault == "two") {
      const int next = other(
          victim, 1 + static_cast<int>(random_.below(static_cast<std::uint64_t>(nodes() - 1))));
      one(fault, {{faults_.one_of_two(), victim}}, false);
      if (problems_.empty()) one(fault, {{faults_.one_of_two(), next}}, true);
    } else if (fault == "both") {
      const int observer =
          voters + 1 +
          static_cast<int>(random_.below(static_cast<std::uint64_t>(options_.observers)));
      Hits hits{{faults_.one_of_two(), observer}};
      if (victim != observer) hits.push_back({faults_.one_of_two(), victim});
      one(fault, hits, true);
    } else {
      one(fault, {{fault, victim}}, true);
    }
  }

  /// One fault, or some at once, entered as `kind`. Not `to_the_end`: the node is back and may have
  /// missed anything.
  void one(const std::string& kind, const Hits& hits, bool to_the_end) {
    int watched = 1;
    while (nodes_of(hits).contains(watched)) ++watched;
    // A move to three nodes that begins between two faults does not stand both.
    const bool many = nodes_of(hits).size() > 1;
    moves_->set_mode(many ? MoveLoad::Mode::hold : MoveLoad::Mode::wide);
    const std::set<int> silent = moves_->may_stand_still(records, nodes_of(hits));
    const std::vector<int> leaders = view_.leaders();
    const auto led =
        std::ranges::count_if(leaders, [&](int leader) { return nodes_of(hits).contains(leader); });
    const auto begin = Clock::now();
    bool goes_on = true;
    for (const Hit& hit : hits) {
      faults_.inflict(hit.fault, hit.node);
      goes_on = goes_on && PartitionFaults::goes_on(hit.fault);
    }
    if (goes_on) await_acks(text_of(hits), silent);
    let_pass(up_to(milliseconds(1000)), watched);
    const auto undone = Clock::now();
    GapFigures::Gaps gaps{};
    gaps.fault = ledger_.longest_pause(begin, undone, silent);
    for (const Hit& hit : hits) faults_.undo(hit.fault, hit.node);
    const auto returned = Clock::now();
    await_acks("the end of " + text_of(hits));
    if (to_the_end) await_whole(watched);
    const auto settled = Clock::now();
    gaps.healing = ledger_.longest_pause(undone, settled, silent);
    figures_.add(kind, led > 0, gaps);
    fmt::print(
        "round {}: {}{}, which led {} partitions: {} ms; back: {} ms, all well within {} ms; {} "
        "acknowledged\n",
        round_, kind == hits[0].fault ? "" : kind + ": ", text_of(hits), led,
        gaps.fault.count() / 1000, gaps.healing.count() / 1000,
        std::chrono::duration_cast<milliseconds>(settled - returned).count(),
        ledger_.acknowledged());
    std::fflush(stdout);
  }

  void await_acks(const std::string& what, const std::set<int>& excepted = {}) {
    if (!goes_well()) return;
    const std::vector<int> silent = ledger_.await_acks(comes_back_within, excepted);
    if (silent.empty() || interrupted) return;
    say(fmt::format("after {} no record is acknowledged for {} s in partitions {}", what,
                    comes_back_within.count() / 1000, fmt::join(silent, ", ")));
  }

  void make_wide(int watched) {
    const auto deadline = Clock::now() + whole_within;
    do {
      await_whole(watched);
    } while (goes_well() && !moves_->widen() && Clock::now() < deadline);
    if (goes_well() && Clock::now() >= deadline) say("partitions do not get three replicas");
  }

  std::string missing() {
    if (!connections_.complete()) return "nodes do not find each other";
    if (std::string what = view_.missing(); !what.empty()) return what;
    return trimmed_view_.missing();
  }

  /// The next fault shall meet a whole cluster, in which no replica is on its way.
  void await_whole(int watched) {
    moves_->set_mode(MoveLoad::Mode::hold);
    const auto deadline = Clock::now() + whole_within;
    std::string lacks = missing();
    while (!lacks.empty() && all_run() && goes_well() && Clock::now() < deadline) {
      let_pass(milliseconds(20), watched);
      lacks = missing();
    }
    for (int id = 1; id <= nodes(); ++id) {
      if (!node(id).running() && !interrupted) say(fmt::format("node {} ended by itself", id));
    }
    if (!lacks.empty() && goes_well()) {
      say(fmt::format("the cluster is not whole again after {} s: {}", whole_within.count() / 1000,
                      lacks));
    }
    if (!goes_well()) return;
    moves_->settle();
    trims_->begins(problems_);
  }

  /// What every load and every node knows; then all nodes are killed at once, under load again,
  /// their files compared, and all started again.
  void check() {
    gate_.close();
    // Whoever takes a change has all that was acknowledged before it.
    for (int id = 1; id <= nodes(); ++id) {
      if (!eventually([&] { return view_.passes(id); })) {
        say(fmt::format("no change of metadata goes through node {}", id));
      }
    }
    const std::vector<std::int64_t> none(static_cast<std::size_t>(options_.partitions), 0);
    const TopicJudgement judged =
        judge_topic(cluster_.bootstrap(), records, none, ledger_, readings_, problems_);
    counts_ = judged.counts;
    trimmed_counts_ = judge_topic(cluster_.bootstrap(), trimmed, trims_->begins(problems_),
                                  trimmed_ledger_, trimmed_readings_, problems_)
                          .counts;
    for (auto& load : loads_) load->check(true, problems_);
    const StoredTopic stored{records, judged.ends, view_.replicas()};
    check_files(stored);
    gate_.open();
    std::string compared;
    if (problems_.empty()) {
      for (int id = 1; id <= nodes(); ++id) node(id).kill();
      for (int id = 1; id <= nodes(); ++id) connections_.forget(id);
      compared = compare_stored_partitions(cluster_, stored, problems_);
    }
    if (problems_.empty()) start_all();
    if (problems_.empty()) await_whole(1);
    fmt::print("check after round {}: {}; {}; {} problems\n", std::min(round_, options_.rounds),
               counts_.text(), compared, problems_.size());
    std::fflush(stdout);
  }

  /// While the nodes run: all replicas get everything, and nothing of a deleted topic stays.
  void check_files(const StoredTopic& stored) {
    if (stored.replicas.size() != stored.ends.size()) return say("no node says who has replicas");
    if (!eventually([&] { return is_stored_everywhere(cluster_, stored); }, comes_back_within)) {
      say("replicas do not catch up, or those that have moved away stay");
    }
    const std::vector<std::string> deleted = topics_->absent();
    if (eventually([&] { return stored_directories(cluster_, deleted).empty(); })) return;
    say(fmt::format("of deleted topics remain {}",
                    fmt::join(stored_directories(cluster_, deleted), ", ")));
  }

  /// After a problem loads may wait for what never comes, so nobody waits for them.
  [[noreturn]] void give_up() {
    report();
    std::fflush(stdout);
    std::_Exit(1);
  }

  int report() {
    for (const std::string& problem : problems_) fmt::print("PROBLEM: {}\n", problem);
    for (const auto& load : loads_) fmt::print("{}\n", load->counts());
    fmt::print("{}: {}\n{}: {}\n{}", records, counts_.text(), trimmed, trimmed_counts_.text(),
               figures_.table());
    fmt::print("{} rounds{}, seed {}; {}\n", round_ - 1, interrupted ? " (interrupted)" : "",
               options_.seed,
               goes_well()         ? "nothing lost, doubled or reordered, replicas equal"
               : problems_.empty() ? "not judged"
                                   : fmt::format("{} problems", problems_.size()));
    if (problems_.empty()) return interrupted ? 130 : 0;
    fmt::print(
        "again: partition_rounds --rounds {} --seed {} --observers {} --faults {}; logs and data "
        "are in",
        options_.rounds, options_.seed, options_.observers, fmt::join(options_.faults, " "));
    for (int id = 1; id <= nodes(); ++id) {
      node(id).kill();
      node(id).keep_directory();
      // The disks go with this process.
      if (disks_ != nullptr) {
        std::filesystem::copy(node(id).data_directory(), node(id).directory() + "/data.kept",
                              std::filesystem::copy_options::recursive);
      }
      fmt::print(" {}", node(id).directory());
    }
    fmt::print("\n");
    return 1;
  }

  const Options options_;
  Random random_;
  ClusterProcesses cluster_;
  Connections connections_;
  ClusterView view_;
  ClusterView trimmed_view_;
  std::unique_ptr<NodeDisks> disks_;
  Problems problems_;
  PartitionFaults faults_;
  RecordLedger ledger_;
  ReadRecords readings_;
  RecordLedger trimmed_ledger_{trimmed_partitions};
  ReadRecords trimmed_readings_{trimmed_partitions};
  StepGate gate_;
  std::vector<std::unique_ptr<Load>> loads_;
  TopicLoad* topics_ = nullptr;
  TrimLoad* trims_ = nullptr;
  MoveLoad* moves_ = nullptr;
  RecordCounts counts_;
  RecordCounts trimmed_counts_;
  GapFigures figures_{
      "no record was acknowledged in one of the partitions, as its producers see it, for", {}};
  int round_ = 1;
};

bool has(const Options& options, bool (*wanted)(const std::string&)) {
  return std::any_of(options.faults.begin(), options.faults.end(), wanted);
}

template <class Part>
std::unique_ptr<Part> opened(Result<std::unique_ptr<Part>> part, Options& options,
                             bool (*wanted)(const std::string&)) {
  if (part) return std::move(*part);
  fmt::print("skipped: some faults: {}\n", part.error().message);
  std::erase_if(options.faults, wanted);
  return nullptr;
}

int run(Options& options) {
  std::unique_ptr<NodeNetwork> network;
  if (has(options, &PartitionFaults::needs_network)) {
    network = opened(NodeNetwork::open(voters + options.observers), options,
                     &PartitionFaults::needs_network);
  }
  std::unique_ptr<NodeDisks> disks;
  if (has(options, &PartitionFaults::needs_disks)) {
    disks = opened(NodeDisks::open(), options, &PartitionFaults::needs_disks);
  }
  if (options.observers == 0) std::erase(options.faults, "both");
  if (options.faults.empty()) return 0;
  fmt::print("{} rounds, seed {}\n", options.rounds, options.seed);
  std::fflush(stdout);
  return PartitionRounds(options, network.get(), std::move(disks)).run();
}

}  // namespace
}  // namespace chronik::integration

int main(int argc, char** argv) {
  using namespace chronik::integration;
  Options options;
  options.seed = std::random_device{}();
  CLI::App app(
      "Runs a cluster of three voters and some observers, with a topic of replication factor 3\n"
      "under load (idempotent producers with acks=all, a group that reads and commits, topics "
      "made\n"
      "and deleted), whose replicas move to other sets of one to three nodes meanwhile, and one\n"
      "whose records are deleted. Kills (kill -9), pauses (SIGSTOP), stops, cuts off, wipes one\n"
      "node after the other, or fills its disk. Now and then all are killed. Nothing that was\n"
      "acknowledged may be lost, doubled or reordered, nothing that was deleted may come back, "
      "and\n"
      "all replicas must be equal. To cut nodes off and to fill disks takes root.");
  app.add_option("--rounds", options.rounds, "faults")->capture_default_str();
  app.add_option("--seed", options.seed, "of the faults and the load; random if not given");
  app.add_option("--records-per-second", options.records_per_second, "of all producers")
      ->envname("TEST_RECORDS_PER_SECOND")
      ->capture_default_str();
  app.add_option("--partitions", options.partitions, "of the topic")->capture_default_str();
  app.add_option("--observers", options.observers, "nodes beside the three that vote")
      ->check(CLI::Range(0, 5))
      ->capture_default_str();
  app.add_option("--faults", options.faults,
                 fmt::format("of {}; all if not given", fmt::join(PartitionFaults::kinds(), ", ")))
      ->check(CLI::IsMember(PartitionFaults::kinds()));
  app.add_option("--load-ms-max", options.load_ms_max, "longest time between two faults")
      ->capture_default_str();
  app.add_option("--check-every", options.check_every, "rounds")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  signal(SIGINT, [](int) { interrupted = true; });
  signal(SIGTERM, [](int) { interrupted = true; });
  return run(options);
}
