// Simulation: a group of Rafts on disks that forget what was not written, a network that loses,
// repeats, reorders and delays, clocks of slightly different rates, processes that die, pause and
// come back, and clients that propose and read; all drawn from one seed, in one thread, in
// simulated time. First trouble (safety: Checker), then peace, in which the group has to come to
// rest (liveness).
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "raft/core/memory_storage.h"
#include "raft/core/raft.h"
#include "raft/sim/checker.h"
#include "raft/sim/plan.h"

namespace chronik::raft::sim {

struct Counts {
  std::uint64_t runs = 0;
  std::uint64_t events = 0;
  std::uint64_t elections = 0;
  std::uint64_t committed = 0;
  std::uint64_t reads = 0;
  std::uint64_t lease_reads = 0;
  std::uint64_t crashes = 0;
  std::uint64_t damages = 0;
  std::uint64_t changes = 0;
  std::uint64_t transfers = 0;
  std::uint64_t snapshots_installed = 0;
};

/// A CHECK that fails ends the process at once; from now on it tells the seed it was running.
void tell_seed_on_abort();

class Simulation {
 public:
  /// `trace`: every event goes to stdout.
  Simulation(std::uint64_t seed, Counts& counts, bool trace = false);
  ~Simulation();

  /// False: a promise was broken, problem() says which.
  bool run();
  const std::string& problem() const { return checker_.problem(); }
  const Plan& plan() const { return plan_; }

 private:
  struct Read {
    Index floor = 0;  // what anybody could know of when the read began
  };
  struct Node {
    NodeId id = no_node;
    MemoryStorage disk;
    HardState hard_state;
    Index commit = 0;  // advisory, written lazily
    std::uint64_t life = 0;
    std::int64_t tick_units = 0;
    std::int64_t paused_until = 0;
    std::int64_t next_tick = 0;
    std::deque<Ready> writing;
    bool ready_planned = false;
    std::deque<std::vector<Entry>> to_apply;
    Index applied = 0;
    std::uint64_t applied_hash = 0;
    std::map<ReadId, Read> reads;
    std::unique_ptr<Raft> raft;  // null: down
  };
  using Action = std::function<void()>;
  struct Event {
    std::int64_t time = 0;
    std::uint64_t sequence = 0;
    std::shared_ptr<Action> action;
    bool operator>(const Event& other) const {
      return std::pair(time, sequence) > std::pair(other.time, other.sequence);
    }
  };

  void at(std::int64_t delay, Action action);
  /// Runs for this life of the node only, and not while it is paused.
  void at_node(Node& node, std::int64_t delay, std::function<void(Node&)> action);
  void run_node_action(NodeId id, std::uint64_t life, const std::function<void(Node&)>& action);
  bool run_until(const std::function<bool()>& done, std::uint64_t events_max);

  // nodes.cc: what a driver does
  void start(Node& node);
  void schedule_tick(Node& node);
  void after(Node& node);
  void take_ready(Node& node);
  void apply(Node& node, const Ready& ready);
  void answer_reads(Node& node, const Ready& ready);
  void read_log(Node& node, const LogRead& read);
  void fetch(Node& node, const SnapshotFetch& wanted);
  void write_next(Node& node);
  void persist(Node& node, const Ready& ready, std::size_t entries_max);
  void send(Node& node, std::vector<Message>& messages);
  void deliver(const Message& message);
  std::map<NodeId, const MemoryStorage*> disks() const;

  // trouble.cc: what goes wrong, and what clients and administrators do
  void plan_trouble();
  void trouble();
  void crash(Node& node);
  void cut_links();
  void pause(Node& node);
  void change_membership(Node& node);
  void compact(Node& node);
  void client(Node& node);
  bool anybody_withheld() const;
  bool may_miss_a_vote() const;
  bool settle();
  bool at_rest(Index goal) const;

  Node* leader();
  Node& any() { return nodes_.at(static_cast<NodeId>(random_.below(nodes_.size()) + 1)); }
  bool percent(int chance) { return random_.below(100) < static_cast<std::uint64_t>(chance); }
  void trace(const std::string& line) const;

  Plan plan_;
  Counts& counts_;
  bool trace_;
  Random random_;
  Checker checker_;
  std::map<NodeId, Node> nodes_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::int64_t now_ = 0;
  std::uint64_t sequence_ = 0;
  bool peace_ = false;
  std::set<std::pair<NodeId, NodeId>> cut_;
  std::vector<Message> history_;  // any of these may come again
  bool damaged_once_ = false;
  std::uint64_t proposed_ = 0;
};

}  // namespace chronik::raft::sim
