#include "integration/sim/traffic.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

namespace chronik::sim {

namespace {

constexpr milliseconds begin_delay{3};
constexpr milliseconds begin_retry{100};
constexpr milliseconds report_delay{20};

}  // namespace

Traffic::Traffic(Stage& stage, const Plan& plan, Placement& placement, Counts& counts,
                 Verdict& verdict, PlantedBug bug)
    : stage_(stage),
      plan_(plan),
      network_(stage, plan, plan.seed ^ 0xC11E),
      service_(checkers_, counts, bug, plan.seed ^ 0x5E2),
      moves_(stage, plan, placement, counts, plan.seed ^ 0x30E5) {
  Random random(plan.seed ^ 0x72A);
  for (const PlacedPartition& placed : placement.partitions) {
    checkers_.push_back(std::make_unique<PartitionChecker>(verdict, placed, *placement.settings));
    const ClientContext context{stage,    plan,     counts,           verdict,
                                network_, service_, *checkers_.back()};
    for (int tag = 0; tag < plan.producers; ++tag) {
      const std::uint64_t kind = tag == 0 ? 0 : random.below(100);
      producers_.push_back(std::make_unique<Producer>(context,
                                                      kind < 60   ? ProducerKind::idempotent
                                                      : kind < 80 ? ProducerKind::plain
                                                                  : ProducerKind::careless,
                                                      tag, random.next()));
    }
    for (int i = 0; i < plan.consumers; ++i) {
      consumers_.push_back(std::make_unique<Consumer>(context, random.next()));
    }
    if (plan.deletions) deleters_.push_back(std::make_unique<Deleter>(context, plan.seed ^ 0xDE1));
  }
}

void Traffic::begin() {
  for (const auto& producer : producers_) producer->begin();
  for (const auto& consumer : consumers_) consumer->begin();
  for (const auto& deleter : deleters_) deleter->begin();
  moves_.begin([this](int partition, const std::vector<BrokerId>& nodes) {
    const raft::Membership& members =
        checkers_.at(static_cast<std::size_t>(partition))->log().membership();
    const auto whole = std::ranges::count_if(nodes, [&](BrokerId id) {
      return !members.contains(id) || members.directory_of(id) == stage_.node(id).directory;
    });
    return static_cast<std::size_t>(whole) > nodes.size() / 2;
  });
}

void Traffic::finish() {
  network_.heal();
  for (const auto& producer : producers_) producer->finish();
  for (const auto& consumer : consumers_) consumer->finish();
  for (const auto& deleter : deleters_) deleter->finish();
  moves_.finish();
}

void Traffic::on_start(Node& node) {
  for (const auto& checker : checkers_) checker->on_start(node);
  service_.on_start(node);
}

void Traffic::on_end(NodeId id, bool others_hear) {
  for (const auto& checker : checkers_) checker->on_end(id);
  service_.on_end(id);
  network_.on_end(id, others_hear);
}

void Traffic::on_wipe(NodeId id) {
  for (const auto& checker : checkers_) checker->on_wipe(id);
}

void Traffic::on_send(const raft::GroupMessage& message) {
  for (const auto& checker : checkers_) checker->on_send(message);
}

void Traffic::after_event(Node& node) {
  for (const auto& checker : checkers_) {
    if (broker::Partition* ready = checker->after_event(node)) {
      stage_.trace(fmt::format("{} leads partition {} in epoch {}", node.id(),
                               ready->identity().partition, ready->leader_epoch()));
      service_.on_ready(*ready);
    }
  }
  service_.after_event(node);
  tell_begins(node);
  for (const auto& [partition, members] : node.partitions().take_reassigned()) {
    stage_.at(report_delay,
              [this, index = partition, of = members] { moves_.on_reassigned(index, of); });
  }
}

/// As leaders do by DeleteRecords requests between nodes (broker/partition_leaders.h).
void Traffic::tell_begins(Node& node) {
  for (const auto& [index, partition] : node.partitions().all()) {
    for (const NodeId follower : partition->take_followers_to_tell()) {
      const Told told{node.id(), stage_.life(node.id()), follower, index,
                      partition->log_start_offset()};
      stage_.at(begin_delay, [this, told] { hear_begin(told); });
    }
  }
}

void Traffic::hear_begin(const Told& told) {
  Node& to = stage_.node(told.follower);
  std::optional<Offset> begin;
  if (broker::Partition* there = to.serves() ? to.partitions().find(told.partition) : nullptr) {
    if (there->high_watermark() >= told.begin && there->delete_before(told.begin) &&
        there->log().durable_log_start_offset() >= told.begin) {
      begin = told.begin;
    }
    stage_.happened(told.follower);
  }
  stage_.at(begin ? begin_delay : begin_retry, [this, told, begin] {
    Node& from = stage_.node(told.leader);
    if (!from.serves() || stage_.life(told.leader) != told.life) return;
    broker::Partition* partition = from.partitions().find(told.partition);
    if (partition != nullptr) partition->on_follower_begin(told.follower, begin);
    stage_.happened(told.leader);
  });
}

bool Traffic::may_lose_a_disk() const {
  return std::ranges::all_of(checkers_, [&](const auto& checker) {
    const metadata::Partition& members = checker->placed().members;
    constexpr std::size_t enough = 3;
    // Whoever alone makes a majority of those that a move goes to is relied on.
    const raft::Membership& voters = checker->log().membership();
    if (voters.is_joint() || !checker->log().membership_is_settled()) return false;
    if (!checker->is_whole() || members.target().size() < enough) return false;
    const wal::LogIdentity& identity = checker->placed().identity;
    return std::ranges::all_of(members.replicas, [&](NodeId id) {
      Node& node = stage_.node(id);
      if (checker->log().membership().directory_of(id) != node.directory) return false;
      const raft::Replica* replica = node.up() ? checker->replica(node) : nullptr;
      if (replica != nullptr && replica->raft().is_withheld()) return false;
      return node.is_relied_on(HostedPartitions::directory_of(Node::root, identity.partition),
                               {identity.topic_id, identity.partition});
    });
  });
}

bool Traffic::has_come_to_rest(const PartitionChecker& checker) const {
  if (!checker.is_whole()) return false;
  const std::vector<BrokerId>& replicas = checker.placed().members.replicas;
  return std::ranges::all_of(replicas, [&](NodeId id) {
    Node& node = stage_.node(id);
    if (!node.serves() || node.stopping()) return false;
    broker::Partition* partition = node.partitions().find(checker.placed().identity.partition);
    return partition != nullptr && partition->high_watermark() == checker.committed_end() &&
           partition->log().end_offset() == checker.committed_end() &&
           checker.log().membership().directory_of(id) == node.directory &&
           partition->leads() == (id == replicas.front());
  });
}

bool Traffic::at_rest() const {
  const auto rests = [](const auto& client) { return client->at_rest(); };
  return moves_.at_rest() && std::ranges::all_of(producers_, rests) &&
         std::ranges::all_of(consumers_, rests) &&
         std::ranges::all_of(checkers_, [&](const auto& each) { return has_come_to_rest(*each); });
}

bool Traffic::all_are_led() const {
  return std::ranges::all_of(checkers_, [&](const auto& checker) {
    const PlacedPartition& placed = checker->placed();
    if (placed.members.replicas.size() < 3) return true;
    return std::ranges::any_of(placed.members.replicas, [&](NodeId id) {
      Node& node = stage_.node(id);
      if (!node.serves()) return false;
      broker::Partition* partition = node.partitions().find(placed.identity.partition);
      return partition != nullptr && partition->leads();
    });
  });
}

void Traffic::check_whole() {
  for (const auto& checker : checkers_) {
    for (const NodeId id : checker->placed().members.replicas) {
      checker->check_whole(stage_.node(id));
    }
  }
}

std::string Traffic::describe() const {
  std::string text;
  for (const auto& checker : checkers_) {
    text += "\n" + checker->describe();
    for (const NodeId id : checker->placed().members.replicas) {
      Node& node = stage_.node(id);
      text += "\n  " + (node.up() ? checker->describe(node) : std::to_string(id) + ": down");
    }
  }
  for (const auto& producer : producers_) {
    if (!producer->at_rest()) text += "\n" + producer->describe();
  }
  for (const auto& consumer : consumers_) {
    if (!consumer->at_rest()) text += "\n" + consumer->describe();
  }
  return text;
}

void Traffic::gather(Counts& counts) const {
  counts.partitions_run += checkers_.size();
  for (const auto& checker : checkers_) {
    counts.partition_elections += checker->log().elections();
    counts.partition_entries += static_cast<std::uint64_t>(checker->log().committed());
    counts.replicas_installed += checker->log().snapshots_installed();
  }
}

}  // namespace chronik::sim
