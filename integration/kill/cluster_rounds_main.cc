// cluster_rounds: three nodes that are one cluster, of which one after the other is killed, paused,
// stopped or cut off under load. See --help.
#include <fmt/format.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <random>

#include "base/check.h"
#include "integration/harness/admin.h"
#include "integration/harness/cluster_processes.h"
#include "integration/harness/protocol_client.h"
#include "integration/kill/connections.h"
#include "integration/kill/gap_figures.h"
#include "integration/kill/member_load.h"
#include "integration/kill/metadata_probe.h"
#include "integration/kill/offset_load.h"
#include "integration/kill/record_load.h"
#include "integration/kill/stored_metadata.h"
#include "integration/kill/topic_load.h"
#include "protocol/messages/create_topics.h"
#include "protocol/messages/metadata.h"

namespace chronik::integration {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr int nodes = ClusterProcesses::size;
constexpr milliseconds comes_back_within{30'000};
constexpr milliseconds start_promise{2'000};

std::atomic<bool> interrupted = false;

struct Options {
  int rounds = 200;
  std::uint64_t seed = 0;
  int check_every = 20;
  int load_ms_max = 500;
  std::vector<std::string> faults = {"kill", "pause", "stop", "cut"};
  bool promises = false;
};

class ClusterRounds {
 public:
  ClusterRounds(const Options& options, NodeNetwork* network)
      : options_(options),
        random_(options.seed),
        network_(network),
        cluster_(ClusterProcesses::NotStarted{}, {}, network),
        connections_(cluster_) {}

  /// The exit status.
  int run() {
    start_all(first_starts_);
    make_loads();
    {
      std::vector<std::unique_ptr<LoadThread>> threads;
      for (auto& load : loads_) threads.push_back(std::make_unique<LoadThread>(*load, gate_));
      for (round_ = 1; goes_on(); ++round_) {
        round();
        if (round_ % options_.check_every == 0 && goes_well()) check(false);
      }
      if (!problems_.empty()) give_up();
    }
    if (goes_well()) {
      for (auto& load : loads_) load->finish();
      check(true);
    }
    return report();
  }

 private:
  // What was interrupted is not judged: nobody waited for it to settle.
  bool goes_well() const { return problems_.empty() && !interrupted; }
  bool goes_on() const { return round_ <= options_.rounds && goes_well(); }
  BrokerProcess& node(int id) { return cluster_.node(id); }
  MetadataProbe& probe(int id) { return *probes_[static_cast<std::size_t>(id - 1)]; }

  /// All nodes, none of which runs; until each has made a topic.
  void start_all(std::vector<milliseconds>& times) {
    const auto begin = Clock::now();
    cluster_.launch();
    for (int id = 1; id <= nodes; ++id) {
      if (!eventually([&] { return answers(id); })) {
        fmt::print("node {} does not answer; its log:\n{}\n", id, node(id).log());
        std::exit(1);
      }
      if (id == 1) {
        times.push_back(std::chrono::duration_cast<milliseconds>(Clock::now() - begin));
      }
    }
  }

  /// Whether a topic can be made through it; it is there then.
  bool answers(int id) {
    RawConnection connection(node(id).host(), node(id).port());
    if (!connection.connected()) return false;
    protocol::CreateTopicsRequest request;
    request.timeout_ms = 10'000;
    auto& topic = request.topics.emplace_back();
    topic.name = fmt::format("probe-{}", id);
    topic.num_partitions = 1;
    topic.replication_factor = 1;
    const auto response = call(connection, request);
    if (!response || response->topics.size() != 1) return false;
    const std::int16_t error = response->topics[0].error_code;
    return error == 0 || error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS;
  }

  void make_loads() {
    const std::string all = cluster_.bootstrap();
    for (const char* topic : {"records", "shared"}) {
      CHECK(Admin(all).create_topic({.name = topic, .partitions = RecordLoad::partitions}).ok());
    }
    const ClientConfig impatient{{"socket.timeout.ms", "3000"}};
    std::vector<std::string> each;
    for (int id = 1; id <= nodes; ++id) {
      each.push_back(node(id).bootstrap());
      probes_.push_back(std::make_unique<MetadataProbe>(node(id).host(), node(id).port(),
                                                        fmt::format("probe-{}", id)));
      loads_.push_back(
          std::make_unique<TopicLoad>(all, random_.next(), fmt::format("through-{}", id), id));
    }
    loads_.push_back(std::make_unique<RecordLoad>(all, "records", random_.next()));
    loads_.push_back(std::make_unique<OffsetLoad>(all, "records", RecordLoad::partitions,
                                                  random_.next(), impatient));
    loads_.push_back(
        std::make_unique<MemberLoad>(each, "shared", RecordLoad::partitions, random_.next()));
  }

  int leader() {
    for (int id = 1; id <= nodes; ++id) {
      RawConnection connection(node(id).host(), node(id).port());
      protocol::MetadataRequest request;
      request.topics.emplace();
      if (!connection.connected()) continue;
      const auto response = call(connection, request);
      if (response && response->controller_id > 0) return response->controller_id;
    }
    return -1;
  }

  milliseconds up_to(milliseconds most) {
    return milliseconds(random_.below(static_cast<std::uint64_t>(most.count())));
  }
  /// The load goes on meanwhile; the wait ends early if the node dies by itself.
  void let_pass(milliseconds time, int watched) {
    if (node(watched).wait_for_end(time) != -1 && !interrupted) {
      problems_.push_back(fmt::format("node {} ended by itself", watched));
    }
  }
  static int other(int id, int step) { return (id - 1 + step) % nodes + 1; }

  void round() {
    const std::string fault = options_.faults[random_.below(options_.faults.size())];
    const bool wants_leader = random_.below(2) == 0;
    int victim = static_cast<int>(1 + random_.below(nodes));
    const int watched = other(victim, 1);
    let_pass(up_to(milliseconds(options_.load_ms_max)), watched);
    const int leads = leader();
    if (wants_leader && leads > 0) victim = leads;
    const auto begin = Clock::now();
    const std::vector<int> well = inflict(fault, victim);
    const auto inflicted = Clock::now();
    for (const int id : well) await_change(id, inflicted, fault, victim);
    let_pass(up_to(milliseconds(1000)), well.front());
    const auto undone = Clock::now();
    GapFigures::Gaps gaps{};
    for (const int id : well) {
      gaps.fault = std::max(gaps.fault, probe(id).longest_gap(begin, undone));
    }
    undo(fault, victim);
    const auto returned = Clock::now();
    for (int id = 1; id <= nodes; ++id) await_change(id, returned, "return after " + fault, victim);
    await_connections(well.front());
    const auto settled = Clock::now();
    for (const int id : well) {
      gaps.healing = std::max(gaps.healing, probe(id).longest_gap(undone, settled));
    }
    figures_.add(fault, leads == victim, gaps);
    std::string slow;
    for (const auto& probe : probes_) slow += probe->take_slow();
    fmt::print("round {}: {} node {}{}: {} ms; back: {} ms, all within {} ms{}\n", round_, fault,
               victim, leads == victim ? ", the leader" : "", gaps.fault.count() / 1000,
               gaps.healing.count() / 1000,
               std::chrono::duration_cast<milliseconds>(settled - returned).count(), slow);
    std::fflush(stdout);
  }

  /// The next fault shall meet a whole cluster.
  void await_connections(int watched) {
    const auto deadline = Clock::now() + comes_back_within;
    bool complete = connections_.complete();
    while (!complete && problems_.empty() && !interrupted && Clock::now() < deadline) {
      let_pass(milliseconds(10), watched);
      complete = connections_.complete();
    }
    if (complete || !problems_.empty() || interrupted) return;
    problems_.push_back("nodes do not find each other again");
  }

  void await_change(int id, Clock::time_point since, const std::string& after, int victim) {
    if (!problems_.empty() || interrupted || probe(id).wait_for_change(since, comes_back_within))
      return;
    problems_.push_back(fmt::format("no change of metadata goes through node {} for {} s: {} of {}",
                                    id, comes_back_within.count() / 1000, after, victim));
  }

  /// The nodes through which changes must go on.
  std::vector<int> inflict(const std::string& fault, int victim) {
    if (fault == "kill") {
      node(victim).kill();
    } else if (fault == "pause") {
      node(victim).send_signal(SIGSTOP);
    } else if (fault == "stop") {
      if (const int status = node(victim).stop(); status != 0) {
        problems_.push_back(fmt::format("node {} did not stop: status {}", victim, status));
      }
    } else {
      return cut(victim);
    }
    return {other(victim, 1), other(victim, 2)};
  }

  /// From all, in one direction or both; or from one other node.
  std::vector<int> cut(int victim) {
    const std::uint64_t way = random_.below(4);
    if (way == 3) {
      const int lost = other(victim, static_cast<int>(1 + random_.below(2)));
      network_->cut(victim, lost);
      network_->cut(lost, victim);
      return {nodes * (nodes + 1) / 2 - victim - lost};
    }
    for (int step = 1; step < nodes; ++step) {
      if (way != 1) network_->cut(victim, other(victim, step));
      if (way != 2) network_->cut(other(victim, step), victim);
    }
    return {other(victim, 1), other(victim, 2)};
  }

  void undo(const std::string& fault, int victim) {
    if (fault == "pause") {
      node(victim).send_signal(SIGCONT);
    } else if (fault == "cut") {
      network_->heal();
    } else {
      connections_.forget(victim);
      node(victim).start();
    }
  }

  /// What every load and every node knows; then all nodes are killed at once, their files compared,
  /// and all started again.
  void check(bool all) {
    gate_.close();
    const auto closed = Clock::now();
    // Whoever answers a change has all that was acknowledged before it.
    for (int id = 1; id <= nodes; ++id) await_change(id, closed, "the check", id);
    for (auto& load : loads_) load->check(all, problems_);
    std::vector<MetadataProbe::Ledger> before;
    for (const auto& probe : probes_) before.push_back(probe->ledger());
    std::string compared;
    if (problems_.empty()) {
      for (int id = 1; id <= nodes; ++id) node(id).kill();
      for (int id = 1; id <= nodes; ++id) connections_.forget(id);
      compared = compare_stored_metadata(cluster_, problems_);
    }
    if (problems_.empty()) start_all(later_starts_);
    if (problems_.empty()) check_probes(before);
    await_connections(1);
    gate_.open();
    fmt::print("check after round {}: {}; {} problems\n", std::min(round_, options_.rounds),
               compared, problems_.size());
    std::fflush(stdout);
  }

  void check_probes(const std::vector<MetadataProbe::Ledger>& before) {
    Admin admin(cluster_.bootstrap());
    for (std::size_t i = 0; i < probes_.size(); ++i) {
      const auto found = admin.describe_topic_config(probes_[i]->topic());
      const auto value = found.find(MetadataProbe::setting);
      const std::int64_t is = value == found.end() ? -1 : std::stoll(value->second.value);
      const MetadataProbe::Ledger after = probes_[i]->ledger();
      if (is >= before[i].acknowledged && is <= after.attempted) continue;
      problems_.push_back(fmt::format("{} of {} is {}, acknowledged {}, tried {}",
                                      MetadataProbe::setting, probes_[i]->topic(), is,
                                      before[i].acknowledged, after.attempted));
    }
  }

  void print_starts(const char* what, std::vector<milliseconds> times) const {
    if (times.empty()) return;
    std::sort(times.begin(), times.end());
    fmt::print("{}, to the first topic made: median {} ms, longest {} ms, {} times\n", what,
               times[times.size() / 2].count(), times.back().count(), times.size());
  }

  void judge_times() {
    for (std::string& one : figures_.broken_promises()) problems_.push_back(std::move(one));
    if (first_starts_.front() > start_promise) {
      problems_.push_back("the first start was too slow");
    }
  }

  /// After a problem loads may wait for what never comes, so nobody waits for them.
  [[noreturn]] void give_up() {
    report();
    std::fflush(stdout);
    std::_Exit(1);
  }

  int report() {
    if (options_.promises) judge_times();
    for (const std::string& problem : problems_) fmt::print("PROBLEM: {}\n", problem);
    for (const auto& load : loads_) fmt::print("{}\n", load->counts());
    std::int64_t changes = 0;
    for (const auto& probe : probes_) changes += probe->ledger().count;
    fmt::print("{} changes of configurations acknowledged\n{}", changes, figures_.table());
    print_starts("three empty nodes started", first_starts_);
    print_starts("all three killed and started", later_starts_);
    fmt::print("{} rounds{}, seed {}; {}\n", round_ - 1, interrupted ? " (interrupted)" : "",
               options_.seed,
               goes_well()         ? "nothing lost, images equal"
               : problems_.empty() ? "not judged"
                                   : fmt::format("{} problems", problems_.size()));
    if (problems_.empty()) return interrupted ? 130 : 0;
    fmt::print("again: cluster_rounds --rounds {} --seed {} --faults {}{}; logs and data are in",
               options_.rounds, options_.seed, fmt::join(options_.faults, " "),
               options_.promises ? " --promises" : "");
    for (int id = 1; id <= nodes; ++id) {
      node(id).keep_directory();
      fmt::print(" {}", node(id).directory());
    }
    fmt::print("\n");
    return 1;
  }

  const Options options_;
  Random random_;
  NodeNetwork* const network_;
  ClusterProcesses cluster_;
  Connections connections_;
  StepGate gate_;
  std::vector<std::unique_ptr<MetadataProbe>> probes_;
  std::vector<std::unique_ptr<Load>> loads_;
  GapFigures figures_{
      "no change of metadata was acknowledged, through any node that was well, for",
      {{"kill", milliseconds(1000)}, {"pause", milliseconds(2000)}, {"stop", milliseconds(100)}}};
  std::vector<milliseconds> first_starts_;
  std::vector<milliseconds> later_starts_;
  Problems problems_;
  int round_ = 1;
};

}  // namespace
}  // namespace chronik::integration

int main(int argc, char** argv) {
  using namespace chronik::integration;
  Options options;
  options.seed = std::random_device{}();
  CLI::App app(
      "Runs a cluster of three nodes under load (topics made and deleted through each node,\n"
      "settings changed, members that join and leave a group, offset commits, records), and kills\n"
      "(kill -9), pauses (SIGSTOP), stops or cuts off one node after the other, half of the time\n"
      "the leader. Now and then all are killed. Nothing that was acknowledged may be lost, and "
      "the\n"
      "metadata of all nodes must be equal. To cut nodes off takes root and network namespaces.");
  app.add_option("--rounds", options.rounds, "faults")->capture_default_str();
  app.add_option("--seed", options.seed, "of the faults and the load; random if not given");
  app.add_option("--faults", options.faults, "of kill, pause, stop and cut; all if not given")
      ->check(CLI::IsMember({"kill", "pause", "stop", "cut"}));
  app.add_option("--load-ms-max", options.load_ms_max, "longest time between two faults")
      ->capture_default_str();
  app.add_option("--check-every", options.check_every, "rounds")->capture_default_str();
  app.add_flag("--promises", options.promises,
               "fail when the metadata stands still for longer than is promised");
  CLI11_PARSE(app, argc, argv);
  signal(SIGINT, [](int) { interrupted = true; });
  signal(SIGTERM, [](int) { interrupted = true; });
  std::unique_ptr<NodeNetwork> network;
  if (std::find(options.faults.begin(), options.faults.end(), "cut") != options.faults.end()) {
    auto opened = NodeNetwork::open(ClusterProcesses::size);
    if (opened) {
      network = std::move(*opened);
    } else {
      fmt::print("skipped: rounds that cut a node off: {}\n", opened.error().message);
      std::erase(options.faults, "cut");
      if (options.faults.empty()) return 0;
    }
  }
  fmt::print("{} rounds, seed {}\n", options.rounds, options.seed);
  std::fflush(stdout);
  return ClusterRounds(options, network.get()).run();
}
