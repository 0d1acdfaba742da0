// How the nodes of a simulated cluster begin and end.
#include <spdlog/fmt/fmt.h>

#include "integration/sim/simulation.h"

namespace chronik::sim {

void Simulation::start_later(Machine& machine, milliseconds delay) {
  at(delay, [this, &machine, life = machine.life] {
    if (machine.life == life && !machine.wiped) start(machine);
  });
}

void Simulation::start(Machine& machine) {
  Node& node = *machine.node;
  if (node.up()) return;
  ++machine.life;
  alter_disk(options_.bug, node.disk, Node::meta_directory);
  machine.cutting = plan_.cuts_in_work && !peace_ && percent(20);
  if (machine.cutting) node.disk.power_off_after(random_.below(15));
  const bool votes = machine.founder || (is(PlantedBug::wiped_node_votes) && machine.started);
  raft::Membership founders;
  for (NodeId id = 1; votes && id <= plan_.voters; ++id) founders.voters.push_back(id);
  const Result<void> started = node.start(founders);
  if (!started) return start_refused(machine, started.error());
  if (node.disk.struck()) {
    // The power went behind the last thing that a start waits for.
    node.end();
    return start_refused(machine, {Errc::io, "the power is off"});
  }
  machine.started = true;
  machine.up_since = now_;
  trace(fmt::format("{} starts in term {}, log {} to {}{}", node.id(), node.replica().raft().term(),
                    node.replica().store().first_index(), node.replica().store().last_index(),
                    node.store().recovery().log_lost ? ", damaged" : ""));
  // Also by a start before this one, which the power ended.
  const raft::Replica& replica = node.replica();
  const bool emptied = replica.raft().is_withheld() && replica.raft().log().last().index == 0;
  const bool lost = node.store().recovery().log_lost || emptied;
  if (lost) ++counts_.logs_given_up;
  const bool lost_by_damage = lost && machine.suspect;
  const bool keeps = !std::exchange(machine.damaged, false) && !lost_by_damage;
  log_.on_start(node.id(), node.replica(), keeps);
  traffic_.on_start(node);
  if (verdict_.good()) images_.check(node.id(), node.store().image(), ImageChecker::How::whole);
  for (auto& [id, other] : machines_) {
    if (id == node.id() || !other.node->serves()) continue;
    other.node->manager().on_node_up(node.id(), node.directory);
    after(other);
    if (node.serves()) node.manager().on_node_up(id, other.node->directory);
  }
  after(machine);
}

void Simulation::start_refused(Machine& machine, const Error& error) {
  Node& node = *machine.node;
  trace(fmt::format("{} does not start: {}", node.id(), error.message));
  const bool struck = node.disk.struck();
  if (struck) {
    ++counts_.power_cuts;
    ++counts_.cuts_in_start;
    node.disk.crash(node.random, power_cut());
  } else if (!machine.full || error.code != Errc::no_space) {
    return verdict_.fail(Promise::starts,
                         fmt::format("node {} does not start: {}", node.id(), error.message));
  }
  start_later(machine, some(1'000));
}

/// The process is gone, or the machine; the others are told where its connections were closed.
void Simulation::end(Machine& machine, CrashModel model, bool others_hear) {
  Node& node = *machine.node;
  CHECK(node.up());
  ++machine.life;
  counts_.node_ms += static_cast<std::uint64_t>(
      std::chrono::duration_cast<milliseconds>(now_ - machine.up_since).count());
  log_.on_end(node.id());
  traffic_.on_end(node.id(), others_hear);
  node.end();
  for (const ProposalId id : std::exchange(machine.asked, {})) ledger_.forget(id);
  node.disk.crash(node.random, model);
  machine.cutting = false;
  network_.drop(node.id());
  if (!others_hear) return;
  for (auto& [id, other] : machines_) {
    if (id == node.id() || !other.node->serves()) continue;
    other.node->manager().on_node_down(node.id());
    after(other);
  }
}

CrashModel Simulation::power_cut() {
  return percent(50) ? CrashModel::ordered : CrashModel::reordered;
}

/// The process has ended itself: its disk failed, or what it says cannot be trusted.
void Simulation::on_fatal(Machine& machine) {
  Node& node = *machine.node;
  trace(fmt::format("{} ends itself: {}", node.id(), node.fatal()));
  const bool cut = machine.cutting && node.disk.struck();
  if (cut) {
    ++counts_.power_cuts;
    ++counts_.cuts_in_work;
  }
  end(machine, cut ? power_cut() : CrashModel::kill, !cut);
  start_later(machine, some(percent(50) ? 100 : 3'000));
}

void Simulation::begin_stop(Machine& machine) {
  Node& node = *machine.node;
  ++counts_.clean_stops;
  trace(fmt::format("{} is stopped", node.id()));
  node.begin_stop();
  at(milliseconds(10'000), [this, &machine, life = machine.life] {
    // Whoever stops a broker does not wait for ever: its disk may be full.
    if (machine.life != life || !machine.node->up()) return;
    end(machine, CrashModel::kill, true);
    start_later(machine, some(1'000));
  });
  after(machine);
}

namespace {

void remove_directories(Disk& disk, const std::string& in) {
  const auto entries = disk.list(in);
  for (const DirectoryEntry& entry : *entries) {
    remove_directories(disk, in + "/" + entry.name);
    CHECK(disk.remove(in + "/" + entry.name));
  }
  CHECK(disk.sync_directory(in));
}

}  // namespace

/// Its data directory is deleted. It stays down until it does not belong to the cluster any more.
void Simulation::wipe(Machine& machine) {
  Node& node = *machine.node;
  ++counts_.wipes;
  trace(fmt::format("{} is wiped", node.id()));
  wiped_voter_ = log_.membership().is_voter(node.id());
  if (node.up()) end(machine, power_cut(), true);
  ++machine.life;
  for (const std::string& file : node.disk.files(Node::root)) CHECK(node.disk.remove(file));
  remove_directories(node.disk, std::string(Node::root));
  log_.on_wipe(node.id());
  traffic_.on_wipe(node.id());
  if (plan_.replicated > 0) node.directory = Uuid::from_random(random_.next(), 1);
  machine.founder = false;
  wiped_ = node.id();
  if (is(PlantedBug::wiped_node_votes)) return start_later(machine, some(500));
  machine.wiped = true;
}

}  // namespace chronik::sim
