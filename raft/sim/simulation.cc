#include "raft/sim/simulation.h"

#include <spdlog/fmt/fmt.h>

#include <csignal>
#include <cstdio>

namespace chronik::raft::sim {
namespace {

std::uint64_t running_seed = 0;

void on_abort(int) {
  std::fprintf(stderr, "again: raft_sim --count 1 --trace --seed %llu\n",
               static_cast<unsigned long long>(running_seed));
  std::signal(SIGABRT, SIG_DFL);
}

}  // namespace

void tell_seed_on_abort() { std::signal(SIGABRT, on_abort); }

Simulation::Simulation(std::uint64_t seed, Counts& counts, bool trace)
    : plan_(seed), counts_(counts), trace_(trace), random_(seed ^ 0x5EED5EED5EED5EEDULL) {
  Membership membership;
  for (NodeId id = 1; id <= plan_.voters; ++id) membership.voters.push_back(id);
  for (NodeId id = 1; id <= plan_.pool; ++id) {
    Node& node = nodes_[id];
    node.id = id;
    if (id <= plan_.voters) node.disk = MemoryStorage(membership);
    // Rates differ by less than the margin of the leases, one tick in ten.
    node.tick_units = tick_units - 4 + static_cast<std::int64_t>(random_.below(9));
  }
}

Simulation::~Simulation() = default;

bool Simulation::run() {
  running_seed = plan_.seed;
  ++counts_.runs;
  for (auto& [id, node] : nodes_) start(node);
  plan_trouble();
  run_until([] { return false; }, plan_.events);
  const bool good = problem().empty() && settle();
  counts_.elections += checker_.elections();
  counts_.committed += static_cast<std::uint64_t>(checker_.committed());
  return good;
}

bool Simulation::run_until(const std::function<bool()>& done, std::uint64_t events_max) {
  for (std::uint64_t i = 0; i < events_max; ++i) {
    if (!problem().empty() || events_.empty()) return false;
    const Event event = events_.top();
    events_.pop();
    now_ = event.time;
    ++counts_.events;
    (*event.action)();
    if (done()) return true;
  }
  return false;
}

void Simulation::at(std::int64_t delay, Action action) {
  events_.push(Event{now_ + delay, sequence_++, std::make_shared<Action>(std::move(action))});
}

void Simulation::at_node(Node& node, std::int64_t delay, std::function<void(Node&)> action) {
  at(delay, [this, id = node.id, life = node.life, action = std::move(action)] {
    run_node_action(id, life, action);
  });
}

void Simulation::run_node_action(NodeId id, std::uint64_t life,
                                 const std::function<void(Node&)>& action) {
  Node& node = nodes_.at(id);
  if (!node.raft || node.life != life) return;
  if (now_ < node.paused_until) {
    // It happens when the node goes on; the ticks it missed come first.
    at(node.paused_until - now_, [this, id, life, action] { run_node_action(id, life, action); });
    return;
  }
  for (; node.next_tick <= now_; node.next_tick += node.tick_units) node.raft->tick();
  action(node);
  after(node);
}

Simulation::Node* Simulation::leader() {
  Node* found = nullptr;
  for (auto& [id, node] : nodes_) {
    if (!node.raft || node.raft->role() != Role::leader) continue;
    if (found == nullptr || node.raft->term() > found->raft->term()) found = &node;
  }
  return found;
}

void Simulation::trace(const std::string& line) const {
  if (trace_) fmt::print("{:>7} {}\n", now_, line);
}

}  // namespace chronik::raft::sim
