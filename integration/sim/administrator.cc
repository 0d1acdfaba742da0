// What the people do who run a simulated cluster: they change who belongs to it, hand the
// leadership over, admit a node again that lost its directory; and, once all is well, how the
// cluster has to come to rest.
#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "integration/sim/simulation.h"
#include "raft/core/describe.h"

namespace chronik::sim {

using raft::MemberChange;

namespace {

constexpr milliseconds rest_time_max{60'000};
constexpr Index caught_up_within = 20;

}  // namespace

void Simulation::plan_administrator() {
  at(some(800), [this] {
    administrate();
    plan_administrator();
  });
}

void Simulation::administrate() {
  Machine* leads = leader();
  if (leads == nullptr || !leads->node->store().leadership().ready) return;
  raft::Replica& replica = leads->node->replica();
  if (plan_.hand_overs && !peace_ && percent(15)) {
    const NodeId to = any().node->id();
    if (replica.transfer_leadership(to)) {
      ++counts_.hand_overs;
      trace(fmt::format("{} hands over to {}", leads->node->id(), to));
    }
    return after(*leads);
  }
  const raft::Log& log = replica.raft().log();
  const bool under_way = log.membership().membership.is_joint() ||
                         log.membership().index > log.commit() ||
                         log.membership().membership != log_.membership();
  if (under_way) return;
  if (wiped_ != raft::no_node) return readmit(*leads);
  if (plan_.changes && !peace_ && may_lose_a_disk() && percent(25)) change_at_will(*leads);
}

/// A wiped node knows neither its votes nor what it had acknowledged: so the cluster has to forget
/// it first. Then it comes as any new node does.
void Simulation::readmit(Machine& leads) {
  Machine& back = machine(wiped_);
  const raft::Membership& membership = log_.membership();
  const MemberChange remove{MemberChange::Kind::remove, wiped_};
  if (back.wiped) {
    if (membership.contains(wiped_)) return change(leads, {remove});
    back.wiped = false;
    trace(fmt::format("{} comes back with nothing", wiped_));
    return start(back);
  }
  if (!membership.contains(wiped_)) {
    return change(leads, {{MemberChange::Kind::add_learner, wiped_}});
  }
  if (!wiped_voter_ || membership.is_voter(wiped_)) {
    ++counts_.readmissions;
    wiped_ = raft::no_node;
    return;
  }
  if (has_caught_up(leads, wiped_)) {
    change(leads, {{MemberChange::Kind::add_voter, wiped_}});
  }
}

/// As ClusterQuorum asks before it gives a vote.
bool Simulation::has_caught_up(Machine& leads, NodeId learner) {
  Node& node = *machine(learner).node;
  const std::vector<raft::Progress>& progress = leads.node->replica().raft().progress();
  const auto follower = std::ranges::find(progress, learner, &raft::Progress::id);
  return node.serves() && follower != progress.end() && !follower->withheld &&
         node.store().image()->applied_index() + caught_up_within >= log_.committed();
}

void Simulation::change_at_will(Machine& leads) {
  const raft::Membership& membership = log_.membership();
  const NodeId id = any().node->id();
  Machine& other = machine(id);
  std::vector<MemberChange> changes;
  if (!membership.contains(id)) {
    changes.push_back({MemberChange::Kind::add_learner, id});
  } else if (!membership.is_voter(id)) {
    if (!has_caught_up(leads, id)) return;
    changes.push_back({MemberChange::Kind::add_voter, id});
  } else if (membership.voters.size() > 3) {
    changes.push_back(
        {percent(70) ? MemberChange::Kind::remove : MemberChange::Kind::add_learner, id});
  } else if (!membership.learners.empty() && has_caught_up(leads, membership.learners.front())) {
    // One for another, in a joint change.
    changes.push_back({MemberChange::Kind::remove, id});
    changes.push_back({MemberChange::Kind::add_voter, membership.learners.front()});
  } else {
    return;
  }
  if (!other.node->up() && !other.started) start(other);
  change(leads, std::move(changes));
}

void Simulation::change(Machine& leads, std::vector<MemberChange> changes) {
  ++counts_.changes;
  std::string what;
  for (const MemberChange& each : changes) {
    static constexpr const char* kinds[] = {"voter", "learner", "removed"};
    what += fmt::format(" {} {}", each.node, kinds[static_cast<int>(each.kind)]);
  }
  trace(fmt::format("{} changes the membership:{}", leads.node->id(), what));
  leads.node->replica().change_membership(changes, milliseconds(5'000), [](const auto&) {});
  after(leads);
}

/// All is well from here on. The cluster must find a leader, finish what was begun, and take
/// proposals through all its nodes, which come to one image.
bool Simulation::settle() {
  trace("all is well");
  peace_ = true;
  cuts_.clear();
  network_.heal();
  network_.faults = {};
  for (auto& [id, each] : machines_) {
    Node& node = *each.node;
    node.pause_until(now_);
    node.set_rate(1'000);
    node.stalls = false;
    node.stall = milliseconds(0);
    node.disk.set_capacity(std::uint64_t{1} << 50);
    each.full = false;
    if (!node.up()) {
      if (each.started || each.founder) start_later(each, some(300));
    } else if (!each.cutting) {
      constexpr std::uint64_t never = std::uint64_t{1} << 60;
      node.disk.fail_operation(never);
    }
  }
  for (const auto& [one, of_one] : machines_) {
    for (const auto& [other, of_other] : machines_) {
      if (one < other) make_connection(one, other);
    }
  }
  traffic_.finish();
  const bool rested = run_until([this] { return at_rest() && traffic_.at_rest(); }, rest_time_max);
  if (!verdict_.good()) return false;
  if (!rested) {
    verdict_.fail(Promise::liveness, "the cluster does not come to rest:" + describe());
    return false;
  }
  for (auto& [id, each] : machines_) {
    if (!each.node->serves() || !log_.membership().contains(id)) continue;
    images_.check(id, each.node->store().image(), ImageChecker::How::whole);
  }
  for (auto& [id, each] : machines_) {
    alter_partitions_disk(options_.bug, id, each.node->disk, std::string(Node::root) + "/t-0");
  }
  traffic_.check_whole();
  return verdict_.good() && (!plan_.rests || loses_a_leader_at_rest());
}

bool Simulation::at_rest() {
  Machine* leads = leader();
  if (leads == nullptr || wiped_ != raft::no_node || log_.membership().is_joint()) return false;
  if (!leads->node->store().leadership().ready) return false;
  bool rests = true;
  for (const NodeId id : log_.membership().members()) {
    Machine& member = machine(id);
    if (!member.node->serves() || member.node->stopping()) return false;
    if (!member.acknowledged) {
      rests = false;
      const bool waits = std::ranges::any_of(
          member.asked, [&](ProposalId asked) { return asked >= member.last_asked; });
      if (waits) continue;
      if (member.last_asked > 0 && ledger_.was_made(member.last_asked)) {
        member.acknowledged = true;
        continue;
      }
      if (now_ < member.ask_again) continue;
      member.ask_again = now_ + milliseconds(500);
      member.last_asked = ledger_.proposed();
      propose(member);
      after(member);
      continue;
    }
    const bool equal = member.node->store().image()->applied_index() == log_.committed();
    rests = rests && equal && !member.node->replica().raft().is_withheld();
  }
  return rests;
}

std::string Simulation::describe() const {
  std::string text =
      fmt::format(" {} are committed, {}", log_.committed(), raft::to_string(log_.membership()));
  for (const auto& [id, each] : machines_) {
    if (!each.node->up()) {
      text += fmt::format("\n{}: down{}", id, each.wiped ? ", wiped" : "");
      continue;
    }
    text += fmt::format("\n{}, image at {}{}", raft::describe(each.node->replica().raft()),
                        each.node->store().image()->applied_index(),
                        each.acknowledged ? "" : ", no proposal acknowledged");
  }
  return text + traffic_.describe();
}

}  // namespace chronik::sim
