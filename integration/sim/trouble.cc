// What goes wrong in a simulated cluster.
#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "integration/sim/simulation.h"
#include "metadata/meta_log_store.h"
#include "wal/checkpoint.h"
#include "wal/format.h"

namespace chronik::sim {

namespace {

/// So many bytes of a file are known to the checkpoint beside it, where it is a segment; else all.
/// What is behind them cannot be told from a write that was under way when the power went, and of a
/// leader epoch no checksum is known yet.
std::uint64_t checked_bytes(MemoryDisk& disk, const std::string& file) {
  const Bytes content = disk.content(file);
  if (!file.ends_with(wal::log_suffix)) return content.size();
  const std::string saved = fmt::format("{}/{}", Node::meta_directory, wal::checkpoint_file);
  // Of one whose power is off nothing but this can be asked.
  if (std::ranges::count(disk.files(Node::meta_directory), saved) == 0) return 0;
  const Result<wal::Checkpoint> checkpoint = wal::decode_checkpoint(disk.content(saved), saved);
  if (!checkpoint) return 0;
  for (const wal::SegmentFacts& facts : checkpoint->segments) {
    if (file.ends_with(wal::segment_file_name(facts.name(), wal::log_suffix))) {
      return std::min<std::uint64_t>(facts.size_bytes, content.size());
    }
  }
  return 0;
}

}  // namespace

void Simulation::plan_trouble() {
  at(some(2 * plan_.trouble_interval.count()), [this] {
    if (peace_) return;
    trouble();
    plan_trouble();
  });
}

void Simulation::trouble() {
  trouble_of_network();
  trouble_of_processes(any());
  trouble_of_disks(any());
  if (plan_.skew && percent(10)) {
    Machine& of = any();
    ++counts_.skews;
    of.node->set_rate(static_cast<std::int64_t>(700 + random_.below(700)));
  }
  if (is(PlantedBug::lease_by_a_slow_clock) && percent(20)) {
    const Machine* leads = leader();
    for (auto& [id, each] : machines_) each.node->set_rate(&each == leads ? 200 : 2'000);
  }
  if (plan_.wall_jumps && percent(10)) {
    ++counts_.wall_jumps;
    any().node->jump_wall(milliseconds(random_.below(20'000'000)) - milliseconds(10'000'000));
  }
}

void Simulation::trouble_of_processes(Machine& machine) {
  Node& node = *machine.node;
  if (!node.up()) return;
  if (plan_.kills && percent(10)) {
    ++counts_.kills;
    trace(fmt::format("{} is killed", node.id()));
    end(machine, CrashModel::kill, percent(80));
    return start_later(machine, some(percent(50) ? 200 : 5'000));
  }
  if (plan_.power_cuts && percent(8)) {
    // Now and then everywhere at once.
    const bool everywhere = percent(15);
    for (auto& [id, each] : machines_) {
      if (!each.node->up() || (!everywhere && each.node.get() != &node)) continue;
      ++counts_.power_cuts;
      trace(fmt::format("power cut at {}", id));
      end(each, power_cut(), false);
      start_later(each, some(percent(50) ? 300 : 5'000));
    }
    return;
  }
  if (!node.serves()) return;
  if (plan_.clean_stops && !node.stopping() && percent(8)) return begin_stop(machine);
  if (plan_.pauses && !node.paused() && percent(12)) {
    ++counts_.pauses;
    const milliseconds time = some(percent(50) ? 500 : 6'000);
    trace(fmt::format("{} stands still for {} ms", node.id(), time.count()));
    node.pause_until(now_ + time);
  }
}

void Simulation::trouble_of_disks(Machine& machine) {
  Node& node = *machine.node;
  if (plan_.stalls && percent(12)) {
    ++counts_.stalls;
    node.stall = some(percent(60) ? 400 : 4'000);
  }
  if (plan_.lost_syncs && node.up() && percent(6)) {
    ++counts_.lost_syncs;
    node.disk.fail_operation(random_.below(10), random_.next());
  }
  if (plan_.cuts_in_work && node.up() && !machine.cutting && percent(8)) {
    machine.cutting = true;
    node.disk.power_off_after(random_.below(25));
  }
  if (plan_.full_disks && !machine.full && percent(6)) {
    ++counts_.full_disks;
    trace(fmt::format("the disk of {} is full", node.id()));
    machine.full = true;
    node.disk.set_capacity(node.disk.used_bytes() + random_.below(3'000));
    at(some(8'000), [&machine] {
      machine.full = false;
      machine.node->disk.set_capacity(std::uint64_t{1} << 50);
    });
  }
  if (plan_.flips && percent(15)) flip(this->machine(victim_));
  if (plan_.wipes && machine.started && machine.founder && may_lose_a_disk() && percent(6)) {
    wipe(machine);
  }
}

bool Simulation::may_lose_a_disk() const {
  if (wiped_ != raft::no_node || log_.membership().voters.size() < 3) return false;
  if (log_.membership().is_joint() || !log_.membership_is_settled()) return false;
  if (!traffic_.may_lose_a_disk()) return false;
  const wal::LogIdentity identity = metadata::metadata_log_identity();
  const raft::GroupId meta{identity.topic_id, identity.partition};
  return std::ranges::all_of(machines_, [&](const auto& each) {
    Node& node = *each.second.node;
    if (each.second.damaged || (node.up() && node.replica().raft().is_withheld())) return false;
    return !log_.membership().is_voter(node.id()) || node.is_relied_on(Node::meta_directory, meta);
  });
}

/// A bit of a file that can be told from a write that was under way when the power went.
void Simulation::flip(Machine& machine) {
  Node& node = *machine.node;
  if (!may_lose_a_disk()) return;
  // Those of partitions are not checked before they are read, which a reader would do in vain.
  std::vector<std::string> files = node.disk.files(Node::meta_directory);
  std::erase_if(files,
                [&](const std::string& file) { return checked_bytes(node.disk, file) == 0; });
  if (files.empty()) return;
  const std::string& file = files[random_.below(files.size())];
  const std::uint64_t position = random_.below(checked_bytes(node.disk, file));
  trace(fmt::format("a bit of {} {} flips at {}", node.id(), file, position));
  ++counts_.flips;
  node.disk.flip_bit(file, position, static_cast<unsigned>(random_.below(8)));
  machine.damaged = machine.suspect = true;
  log_.on_damage();
  // So that the next one comes when this one was found, if it ever is.
  if (!node.up()) return;
  ++counts_.kills;
  end(machine, CrashModel::kill, true);
  start_later(machine, some(1'000));
}

void Simulation::trouble_of_network() {
  if (plan_.partitions && percent(8)) {
    std::map<NodeId, bool> side;
    for (const auto& [id, each] : machines_) side[id] = percent(50);
    std::vector<std::pair<NodeId, NodeId>> links;
    for (const auto& [a, of_a] : machines_) {
      for (const auto& [b, of_b] : machines_) {
        if (side[a] != side[b]) links.emplace_back(a, b);
      }
    }
    ++counts_.partitions;
    trace("partition");
    cut(links, some(8'000));
  }
  if (plan_.one_way_cuts && percent(10)) {
    ++counts_.one_way_cuts;
    cut({{any().node->id(), any().node->id()}}, some(8'000));
  }
  if (plan_.resets && percent(12)) {
    const NodeId one = any().node->id();
    const NodeId other = any().node->id();
    if (one == other) return;
    ++counts_.resets;
    lose_connection(one, other);
    at(some(500), [this, one, other] { make_connection(one, other); });
  }
}

void Simulation::cut(const std::vector<std::pair<NodeId, NodeId>>& links, milliseconds time) {
  for (const auto& link : links) ++cuts_[link];
  apply_cuts();
  // The nodes find out, if it takes long enough.
  if (percent(60)) {
    at(some(2'000), [this, links] {
      for (const auto& [from, to] : links) {
        if (from < to && cuts_.contains({from, to})) lose_connection(from, to);
      }
    });
  }
  at(time, [this, links] {
    if (peace_) return;
    for (const auto& link : links) {
      const auto found = cuts_.find(link);
      if (--found->second == 0) cuts_.erase(found);
    }
    apply_cuts();
    for (const auto& [from, to] : links) {
      if (from < to) make_connection(from, to);
    }
  });
}

void Simulation::apply_cuts() {
  network_.heal();
  for (const auto& [link, count] : cuts_) network_.block(link.first, link.second);
}

void Simulation::lose_connection(NodeId one, NodeId other) {
  network_.drop_between(one, other);
  for (const auto& [at_node, gone] : {std::pair(one, other), std::pair(other, one)}) {
    if (!machine(at_node).node->serves() || machine(at_node).node->paused()) continue;
    machine(at_node).node->manager().on_node_down(gone);
    after(machine(at_node));
  }
}

void Simulation::make_connection(NodeId one, NodeId other) {
  if (!machine(one).node->serves() || !machine(other).node->serves()) return;
  for (const auto& [at_node, there] : {std::pair(one, other), std::pair(other, one)}) {
    if (!machine(at_node).node->serves() || machine(at_node).node->paused()) continue;
    machine(at_node).node->manager().on_node_up(there, machine(there).node->directory);
    after(machine(at_node));
  }
}

}  // namespace chronik::sim
