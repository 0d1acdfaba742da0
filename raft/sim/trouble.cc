// What goes wrong in a simulated group, and what its clients and administrators do meanwhile.
#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "raft/core/describe.h"
#include "raft/sim/simulation.h"

namespace chronik::raft::sim {

void Simulation::plan_trouble() {
  at(static_cast<std::int64_t>(random_.below(120)) + 1, [this] {
    if (!peace_) trouble();
    plan_trouble();
  });
}

void Simulation::trouble() {
  Node& node = any();
  client(node);
  // Also those that others have deposed: what they answer is what may be stale.
  for (auto& [id, each] : nodes_) {
    if (each.raft && each.raft->role() == Role::leader) client(each);
  }
  if (plan_.crashes && percent(2)) crash(node);
  if (plan_.partitions && percent(2)) cut_links();
  if (plan_.one_way_cuts && percent(3)) {
    const std::pair link(any().id, any().id);
    cut_.insert(link);
    at(static_cast<std::int64_t>(random_.below(6000)), [this, link] { cut_.erase(link); });
  }
  if (plan_.pauses && percent(2)) pause(node);
  if (plan_.compacts && percent(8)) compact(node);
  if (plan_.old_messages && !history_.empty() && percent(60)) {
    deliver(history_[random_.below(history_.size())]);
  }
  if (plan_.reads_from_disk && percent(20)) {
    node.disk.in_memory_from =
        static_cast<Index>(random_.below(static_cast<std::uint64_t>(node.disk.last_index()) + 2));
  }
  if (Node* leads = leader()) {
    if (plan_.changes && percent(10)) change_membership(*leads);
    if (plan_.transfers && percent(5)) {
      const NodeId to = any().id;
      run_node_action(leads->id, leads->life, [this, to](Node& from) {
        if (from.raft->transfer_leadership(to)) ++counts_.transfers;
      });
    }
  }
}

void Simulation::client(Node& node) {
  if (!node.raft) return;
  run_node_action(node.id, node.life, [this](Node& asked) {
    if (percent(60)) {
      std::vector<SharedBytes> payloads;
      for (std::uint64_t i = 0; i < 1 + random_.below(3); ++i) {
        const std::string text = fmt::format("{:0>{}}", proposed_++, 4 + random_.below(20));
        payloads.push_back(SharedBytes::copy_of(as_bytes(text)));
      }
      const Result<Position> at = asked.raft->propose(std::move(payloads));
      if (at) trace(fmt::format("{} proposes at {}", asked.id, to_string(*at)));
    }
    if (percent(40)) {
      const bool lease = asked.raft->has_lease();
      const Index floor = checker_.committed();
      const Result<ReadId> id = asked.raft->read();
      if (!id) return;
      if (lease) ++counts_.lease_reads;
      trace(fmt::format("{} reads {}", asked.id, *id));
      asked.reads[*id] = Read{floor};
    }
  });
}

void Simulation::crash(Node& node) {
  if (!node.raft) return;
  ++counts_.crashes;
  trace(fmt::format("crash {}", node.id));
  node.raft.reset();
  checker_.on_stop(node.id);
  node.reads.clear();
  // Some of what was on its way to the disk is there: whole Readys, and of one the beginning.
  std::size_t whole = random_.below(node.writing.size() + 1);
  for (const Ready& ready : node.writing) {
    if (whole == 0) {
      if (percent(50)) persist(node, ready, random_.below(ready.entries.size() + 1));
      break;
    }
    persist(node, ready, ready.entries.size());
    --whole;
  }
  node.writing.clear();
  if (plan_.node_down_hints) {
    for (auto& [id, other] : nodes_) {
      if (!other.raft || !percent(80)) continue;
      run_node_action(id, other.life,
                      [down = node.id](Node& told) { told.raft->on_node_down(down); });
    }
  }
  bool damaged = plan_.damages && percent(40) && !anybody_withheld() && may_miss_a_vote();
  damaged = damaged && node.disk.last_index() > node.disk.snapshot().index &&
            node.hard_state.withheld_until == 0;
  if (damaged) {
    const auto lost =
        static_cast<std::uint64_t>(node.disk.last_index() - node.disk.snapshot().index);
    node.hard_state = withhold(node.hard_state);
    node.disk.cut_from(node.disk.last_index() - static_cast<Index>(random_.below(lost)));
    damaged_once_ = true;
    ++counts_.damages;
    trace(fmt::format("damage {} to {}", node.id, node.disk.last_index()));
  }
  const std::uint64_t down_max = percent(40) ? 200 : 4000;
  const std::int64_t down = static_cast<std::int64_t>(random_.below(down_max)) + 1;
  at(down, [this, id = node.id] {
    if (!nodes_.at(id).raft) start(nodes_.at(id));
  });
}

bool Simulation::anybody_withheld() const {
  return std::any_of(nodes_.begin(), nodes_.end(), [](const auto& each) {
    const Node& node = each.second;
    return node.hard_state.withheld_until > 0 || (node.raft && node.raft->is_withheld());
  });
}

// Of two voters that cannot do without each other, one that lost its end waits for ever.
bool Simulation::may_miss_a_vote() const {
  return std::all_of(nodes_.begin(), nodes_.end(), [](const auto& each) {
    const Node& node = each.second;
    const Membership membership =
        node.raft ? node.raft->membership() : node.disk.memberships().back().membership;
    return membership.voters.empty() || (membership.voters.size() > 2 && !membership.is_joint());
  });
}

void Simulation::cut_links() {
  std::vector<std::pair<NodeId, NodeId>> links;
  std::map<NodeId, bool> side;
  for (const auto& [id, node] : nodes_) side[id] = percent(50);
  for (const auto& [a, node_a] : nodes_) {
    for (const auto& [b, node_b] : nodes_) {
      if (side[a] != side[b]) links.emplace_back(a, b);
    }
  }
  cut_.insert(links.begin(), links.end());
  trace("partition");
  at(static_cast<std::int64_t>(random_.below(5000)), [this, links] {
    for (const auto& link : links) cut_.erase(link);
  });
}

void Simulation::pause(Node& node) {
  node.paused_until = now_ + static_cast<std::int64_t>(random_.below(4000));
  trace(fmt::format("pause {} to {}", node.id, node.paused_until));
}

void Simulation::change_membership(Node& node) {
  // A sane administrator waits until a damaged replica is whole before he takes others away.
  if (anybody_withheld()) return;
  run_node_action(node.id, node.life, [this](Node& leads) {
    std::vector<MemberChange> changes;
    for (std::uint64_t i = 0; i < 1 + random_.below(3); ++i) {
      changes.push_back({static_cast<MemberChange::Kind>(random_.below(3)), any().id});
    }
    const Result<Position> at =
        percent(30) && leads.raft->membership().is_joint()
            ? leads.raft->propose_leave_joint()
            : leads.raft->propose_membership(changes, static_cast<Transition>(random_.below(4)));
    if (!at) return;
    ++counts_.changes;
    trace(fmt::format("{} changes to {}", leads.id, to_string(leads.raft->membership())));
  });
}

void Simulation::compact(Node& node) {
  if (!node.raft) return;
  run_node_action(node.id, node.life, [this](Node& full) {
    const Log& log = full.raft->log();
    const Index index = std::min(full.applied, log.applied());
    if (index <= full.disk.snapshot().index || log.durable() < index) return;
    // A snapshot on its way to the disk replaces all this.
    for (const Ready& ready : full.writing) {
      if (ready.install) return;
    }
    const Index first = full.disk.first_index();
    const auto range = static_cast<std::uint64_t>(index + 1 - first);
    const Index keep = first + static_cast<Index>(random_.below(range + 1));
    full.disk.compact(SnapshotMeta{index, *log.term(index), log.membership_at(index)}, keep);
    full.raft->on_log_compacted();
    trace(fmt::format("{} takes a snapshot at {}, keeps {}", full.id, index, keep));
  });
}

// Peace: everything works, all nodes run. The group must find a leader, finish what it began and
// commit something new, and all its members must have it.
bool Simulation::settle() {
  peace_ = true;
  cut_.clear();
  history_.clear();
  for (auto& [id, node] : nodes_) {
    node.paused_until = 0;
    node.disk.in_memory_from = 0;
  }
  Index goal = 0;
  std::int64_t propose_at = now_;
  const bool rested = run_until(
      [&] {
        if (goal != 0 && at_rest(goal)) return true;
        Node* leads = leader();
        if (leads == nullptr || now_ < propose_at) return false;
        propose_at = now_ + 20 * tick_units;
        if (leads->raft->membership().is_joint()) (void)leads->raft->propose_leave_joint();
        const Result<Position> at = leads->raft->propose({SharedBytes::copy_of(as_bytes("end"))});
        if (at) goal = at->index;
        after(*leads);
        return false;
      },
      400'000);
  if (!problem().empty()) return false;
  if (rested) return true;
  std::string states;
  for (const auto& [id, node] : nodes_) {
    states += node.raft ? "\n" + raft::describe(*node.raft) : fmt::format("\n{}: down", id);
  }
  checker_.fail("the group does not come to rest:" + states);
  return false;
}

bool Simulation::at_rest(Index goal) const {
  if (checker_.committed() < goal) return false;
  for (const auto& [id, node] : nodes_) {
    if (!node.raft || node.raft->role() != Role::leader) continue;
    const Membership& membership = node.raft->membership();
    if (membership.is_joint() || node.raft->log().commit() < goal) continue;
    const std::vector<NodeId> members = membership.members();
    if (std::all_of(members.begin(), members.end(), [&](NodeId member) {
          return nodes_.at(member).applied >= checker_.committed();
        })) {
      return true;
    }
  }
  return false;
}

}  // namespace chronik::raft::sim
