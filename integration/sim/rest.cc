// Groups in which nothing happens rest, and rely on being told which nodes are lost.
#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "integration/sim/simulation.h"

namespace chronik::sim {

namespace {

constexpr milliseconds look_interval{100};
// Files of snapshots that were sent stay open for a minute, which ticks have to end.
constexpr milliseconds rest_max{100'000};
constexpr milliseconds replaced_max{20'000};

using raft::testing::SilenceWatch;

}  // namespace

/// As the transport does with its pings: whoever was not heard for an election timeout is lost.
void Simulation::watch_silence() {
  at(look_interval, [this] {
    if (peace_ && is(PlantedBug::sleeps_on_without_a_leader)) return;
    for (auto& [one, a] : machines_) {
      for (auto& [other, b] : machines_) {
        if (one < other && a.node->serves() && b.node->serves()) look_for_silence(a, b);
        // A machine without power says nothing, not even that it is gone.
        if (one == other || !a.node->serves() || a.node->paused() || b.node->serves()) continue;
        const bool counted = raft::testing::counts(a.node->manager(), other);
        const auto news = silence_.look(std::min(one, other), std::max(one, other), false, counted,
                                        counted, now_);
        if (news != SilenceWatch::News::lost) continue;
        a.node->manager().on_node_down(other);
        after(a);
      }
    }
    watch_silence();
  });
}

void Simulation::look_for_silence(Machine& one, Machine& other) {
  const NodeId a = one.node->id();
  const NodeId b = other.node->id();
  const bool heard = !one.node->paused() && !other.node->paused() && !network_.blocks(a, b) &&
                     !network_.blocks(b, a);
  switch (silence_.look(a, b, heard, raft::testing::counts(one.node->manager(), b),
                        raft::testing::counts(other.node->manager(), a), now_)) {
    case SilenceWatch::News::none:
      return;
    case SilenceWatch::News::lost:
      return lose_connection(a, b);
    case SilenceWatch::News::found:
      return make_connection(a, b);
  }
}

bool Simulation::all_rest() const {
  const auto may_be_awake = [this](Node& node, const raft::Replica* awake) {
    // Who is removed, and has not heard of it, looks for the others for ever.
    return !awake->raft().membership().learners.empty() ||
           (awake == &node.replica() && !log_.membership().contains(node.id()));
  };
  return std::ranges::all_of(machines_, [&](const auto& each) {
    Node& node = *each.second.node;
    return !node.up() || std::ranges::all_of(node.manager().awake(), [&](const auto* awake) {
      return may_be_awake(node, awake);
    });
  });
}

bool Simulation::all_are_led() const {
  const auto leads = [&](const auto& each) {
    const Node& node = *each.second.node;
    return node.serves() && node.store().leadership().ready &&
           node.store().leadership().leader == node.id();
  };
  return std::ranges::any_of(machines_, leads) && traffic_.all_are_led();
}

/// At rest all groups rest. Then a node that leads is gone, and stays so: nobody but the others can
/// find out.
bool Simulation::loses_a_leader_at_rest() {
  // A power cut that was on its way to a machine may come to it only now.
  const auto rested = [this] { return all_rest() && at_rest() && traffic_.at_rest(); };
  if (!run_until(rested, rest_max)) {
    verdict_.fail(Promise::liveness, "groups do not rest in which nothing happens:" + describe());
    return false;
  }
  Machine* leads = leader();
  CHECK(leads != nullptr);
  trace(fmt::format("{} is killed while all rest", leads->node->id()));
  end(*leads, CrashModel::kill, !is(PlantedBug::sleeps_on_without_a_leader));
  if (!verdict_.good()) return false;
  if (log_.membership().voters.size() < 3) return true;
  if (run_until([this] { return all_are_led(); }, replaced_max)) return true;
  verdict_.fail(Promise::liveness,
                "nobody replaces a leader that was lost while its group was at rest:" + describe());
  return false;
}

}  // namespace chronik::sim
