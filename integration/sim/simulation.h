// Simulation: a whole cluster in one thread and in simulated time: the real log, Raft, metadata and
// partition code of every node (Node), a network, disks and clocks that fail, clients that propose
// and read, producers and consumers of replicated partitions (Traffic), people who stop nodes, hand
// over and change the membership; all drawn from one seed. First trouble, with every checker
// looking after every event; then all is well, and the cluster has to come to rest (liveness).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "integration/sim/counts.h"
#include "integration/sim/image_checker.h"
#include "integration/sim/ledger.h"
#include "integration/sim/log_checker.h"
#include "integration/sim/lying_disk.h"
#include "integration/sim/node.h"
#include "integration/sim/plan.h"
#include "integration/sim/planted_bugs.h"
#include "integration/sim/traffic.h"
#include "integration/sim/verdict.h"
#include "metadata/event_source.h"
#include "raft/multi/test_cluster.h"

namespace chronik::sim {

/// A CHECK that fails ends the process at once; from now on it tells the seed it was running.
void tell_seed_on_abort();

struct SimulationOptions {
  bool trace = false;  // what happens goes to stdout
  PlantedBug bug = PlantedBug::none;
};

class Simulation final : private World, private Stage {
 public:
  Simulation(std::uint64_t seed, Counts& counts, SimulationOptions options = {});
  ~Simulation() override;

  /// False: a promise was broken, verdict() says which.
  bool run();
  const Verdict& verdict() const { return verdict_; }
  const Plan& plan() const { return plan_; }
  /// The command that shows the run again.
  std::string command() const;

 private:
  // A node, and what only the simulation knows of it.
  struct Machine {
    std::unique_ptr<Node> node;
    std::unique_ptr<LyingDisk> lying;
    bool started = false;  // ever
    bool founder = false;  // has the directory that it founded the cluster with
    bool wiped = false;    // waits until it does not belong to the cluster any more
    bool damaged = false;  // its files, since its last start
    bool suspect = false;  // ... or earlier, which no start need have found
    bool full = false;     // its disk
    bool cutting = false;  // the power will go at some operation of its disk
    std::uint64_t life = 0;
    SteadyTime up_since{};
    std::set<ProposalId> asked;
    Offset snapshot = -1;       // the newest that was seen
    Term office = 0;            // the last term in which it was ready to lead
    bool acknowledged = false;  // a proposal, since all is well
    ProposalId last_asked = 0;  // the newest of those
    SteadyTime ask_again{};
  };
  struct Event {
    SteadyTime time{};
    std::uint64_t sequence = 0;
    std::shared_ptr<std::function<void()>> action;
    bool operator>(const Event& other) const {
      return std::pair(time, sequence) > std::pair(other.time, other.sequence);
    }
  };
  struct SeenImage {
    NodeId node = raft::no_node;
    std::shared_ptr<const metadata::Image> image;
  };
  struct SeenLeadership {
    NodeId node = raft::no_node;
    metadata::Leadership leadership;
    EntryIndex applied = 0;
  };
  struct SeenRead {
    NodeId node = raft::no_node;
    Index floor = 0;
    std::size_t topics = 0;
    std::shared_ptr<const metadata::Image> image;
  };

  // World: what nodes do. Stage: what clients of partitions need.
  SteadyTime now() const override { return now_; }
  void send(NodeId from, NodeId to, ByteChain frame) override;
  void on_image(NodeId node, const std::shared_ptr<const metadata::Image>& image) override;
  void on_leadership(NodeId node, const metadata::Leadership& leadership) override;

  Node& node(NodeId id) override { return *machine(id).node; }
  std::uint64_t life(NodeId id) override { return machine(id).life; }
  void happened(NodeId id) override { after(machine(id)); }

  // simulation.cc: time
  void at(milliseconds delay, std::function<void()> action) override;
  bool run_until(const std::function<bool()>& done, milliseconds time);
  void step();
  SteadyTime next_time() const;
  void after(Machine& machine);
  void check_seen();
  void gather_counts();

  // lives.cc: how nodes begin and end
  void start(Machine& machine);
  void start_later(Machine& machine, milliseconds delay);
  void start_refused(Machine& machine, const Error& error);
  void end(Machine& machine, CrashModel model, bool others_hear);
  void on_fatal(Machine& machine);
  void begin_stop(Machine& machine);
  void wipe(Machine& machine);
  CrashModel power_cut();

  // trouble.cc: what goes wrong
  void plan_trouble();
  void trouble();
  void trouble_of_processes(Machine& machine);
  void trouble_of_disks(Machine& machine);
  void trouble_of_network();
  void cut(const std::vector<std::pair<NodeId, NodeId>>& links, milliseconds time);
  void apply_cuts();
  void lose_connection(NodeId one, NodeId other);
  void make_connection(NodeId one, NodeId other);
  void flip(Machine& machine);
  /// As the plan has it, which is made to suit the bug first.
  static Placement place_partitions(Plan& plan, PlantedBug bug);
  /// Whether a node may lose what only it and one more may have.
  bool may_lose_a_disk() const;

  // clients.cc: what clients ask
  void plan_client();
  void client(Machine& machine);
  void propose(Machine& machine);
  void on_answer(NodeId node, ProposalId id, const std::vector<metadata::MetadataEvent>& events,
                 Result<metadata::ApplyResults> outcome);
  void read(Machine& machine);

  // administrator.cc: what people do
  void plan_administrator();
  void administrate();
  void readmit(Machine& leader);
  bool has_caught_up(Machine& leader, NodeId learner);
  void change_at_will(Machine& leader);
  void change(Machine& leader, std::vector<raft::MemberChange> changes);
  bool settle();
  bool at_rest();

  // rest.cc: groups in which nothing happens
  void watch_silence();
  void look_for_silence(Machine& one, Machine& other);
  bool loses_a_leader_at_rest();
  bool all_rest() const;
  bool all_are_led() const;
  std::string describe() const;

  Machine* leader();
  Machine& machine(NodeId id) { return machines_.at(id); }
  Machine& any();
  bool is(PlantedBug bug) const { return options_.bug == bug; }
  bool percent(int chance) { return random_.below(100) < static_cast<std::uint64_t>(chance); }
  milliseconds some(std::int64_t ms_max) {
    return milliseconds(random_.below(static_cast<std::uint64_t>(ms_max)) + 1);
  }
  void trace(const std::string& line) const override;

  Plan plan_;
  Counts& counts_;
  const SimulationOptions options_;
  Random random_;
  Verdict verdict_;
  ImageChecker images_;
  Ledger ledger_;
  LogChecker log_;
  raft::testing::FakeNetwork network_;
  metadata::EventSource events_source_;
  Placement placement_;
  std::map<NodeId, Machine> machines_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  SteadyTime now_{};
  std::uint64_t sequence_ = 0;
  bool peace_ = false;
  std::map<std::pair<NodeId, NodeId>, int> cuts_;
  raft::testing::SilenceWatch silence_{milliseconds(1'000)};
  NodeId victim_ = raft::no_node;  // whose files are damaged, one a run
  NodeId wiped_ = raft::no_node;   // is to be admitted again
  bool wiped_voter_ = false;
  std::uint64_t kept_topics_ = 0;
  std::vector<SeenImage> seen_images_;
  std::vector<SeenLeadership> seen_leaderships_;
  std::vector<SeenRead> seen_reads_;
  Traffic traffic_;
};

}  // namespace chronik::sim
