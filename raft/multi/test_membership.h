// MembershipStory: what stories share in which it changes who belongs to a group: a cluster of
// registers, whose leader is driven as the story wants it while time passes. Tests only.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "raft/multi/newcomers.h"
#include "raft/multi/test_register.h"

namespace chronik::raft::testing {

class MembershipStory {
 protected:
  MembershipStory(std::uint64_t seed, int nodes) : cluster_(seed, nodes, setup_) {}
  ~MembershipStory() = default;

  /// What a leader does now and then.
  virtual void drive(NodeId led) = 0;

  Replica& replica(NodeId id) { return *setup_.replicas.at(id); }
  std::vector<std::string>& values(NodeId id) { return setup_.machines.at(id)->state.values; }
  const Membership& membership(NodeId id) { return replica(id).raft().membership(); }

  NodeId leader() {
    for (const auto& [id, replica] : setup_.replicas) {
      if (replica->leadership().ready) return id;
    }
    return no_node;
  }
  /// no_node: there is none in time.
  NodeId await_leader() {
    run_until([&] { return leader() != no_node; });
    return leader();
  }
  /// Lets time pass, with the leader driven.
  bool run_until(const std::function<bool()>& done, milliseconds time = milliseconds(20'000)) {
    return cluster_.run_until(
        [&] {
          if (const NodeId led = leader(); led != no_node) drive(led);
          return done();
        },
        time);
  }
  /// The nodes that are up, but for `led`.
  std::vector<MemberDirectory> others(NodeId led) {
    std::vector<MemberDirectory> present;
    for (const auto& [id, other] : setup_.replicas) {
      if (id != led) present.push_back({id, cluster_.node(id).directory_id()});
    }
    return present;
  }
  void change(NodeId led, const std::vector<MemberChange>& changes) {
    replica(led).change_membership(changes, milliseconds(1000), [](const Result<Position>&) {});
  }
  /// Whether it is committed.
  bool proposes(NodeId id, const std::string& value) {
    if (id == no_node) return false;
    std::optional<Result<Position>> result;
    replica(id).propose(batch_of(value), {},
                        [&](Result<Position> done) { result = std::move(done); });
    run_until([&] { return result.has_value(); });
    return result && result->has_value();
  }
  /// It knows of nobody, as whoever comes to a cluster that is there.
  bool start_empty(NodeId id) {
    const Membership founders = std::exchange(setup_.bootstrap, {});
    const Result<void> started = cluster_.start(id);
    setup_.bootstrap = founders;
    return started.has_value();
  }

  RegisterSetup setup_;
  std::map<NodeId, Newcomers> newcomers_;
  TestCluster cluster_;
};

}  // namespace chronik::raft::testing
