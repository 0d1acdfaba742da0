#include "integration/sim/moves.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <utility>

namespace chronik::sim {

namespace {

constexpr std::uint64_t interval_ms_max = 4'000;
constexpr std::uint64_t image_delay_ms_max = 200;
constexpr milliseconds paused_retry{50};

std::vector<BrokerId> without(std::vector<BrokerId> nodes, const std::vector<BrokerId>& others) {
  std::erase_if(nodes, [&](BrokerId id) { return std::ranges::find(others, id) != others.end(); });
  return nodes;
}

}  // namespace

void Moves::begin(std::function<bool(int partition, const std::vector<BrokerId>& nodes)> may) {
  may_rely_on_ = std::move(may);
  if (plan_.moves && !placement_.partitions.empty()) look_again();
}

bool Moves::at_rest() const {
  return std::ranges::none_of(placement_.partitions, [](const PlacedPartition& placed) {
    return placed.members.is_reassigned();
  });
}

void Moves::look_again() {
  stage_.at(milliseconds(1 + random_.below(interval_ms_max)), [this] {
    if (finishing_) return;
    const auto partition = static_cast<int>(random_.below(placement_.partitions.size()));
    look(partition);
    look_again();
  });
}

void Moves::look(int partition) {
  const metadata::Partition& now =
      placement_.partitions[static_cast<std::size_t>(partition)].members;
  if (!now.is_reassigned()) {
    ++counts_.moves;
    return ask(partition, some_nodes());
  }
  if (random_.one_in(3)) return;
  ++counts_.moves_changed;
  ask(partition, random_.one_in(2) ? without(now.replicas, now.adding) : some_nodes());
}

/// As many as acks=all asks for at least, or nothing could be written.
std::vector<BrokerId> Moves::some_nodes() {
  std::vector<BrokerId> nodes;
  for (NodeId id = 1; id <= plan_.voters; ++id) nodes.push_back(id);
  for (std::size_t i = nodes.size() - 1; i > 0; --i) {
    std::swap(nodes[i], nodes[random_.below(i + 1)]);
  }
  constexpr int replicas_max = 3;
  const auto least = static_cast<std::size_t>(plan_.min_insync_replicas);
  const std::size_t choices = replicas_max + 1 - least;
  nodes.resize(random_.one_in(2) ? replicas_max : least + random_.below(choices));
  return nodes;
}

/// As broker/api/alter_partition_reassignments.cc makes it an event.
void Moves::ask(int partition, const std::vector<BrokerId>& wanted) {
  if (!may_rely_on_(partition, wanted)) return;
  metadata::Partition& members = placement_.partitions[static_cast<std::size_t>(partition)].members;
  const std::vector<BrokerId> original = without(members.replicas, members.adding);
  const std::vector<BrokerId> removing = without(members.replicas, wanted);
  const std::vector<BrokerId> stays_out = without(removing, original);
  std::vector<BrokerId> adding = without(wanted, original);
  adding.insert(adding.end(), stays_out.begin(), stays_out.end());
  std::vector<BrokerId> replicas = wanted;
  replicas.insert(replicas.end(), removing.begin(), removing.end());
  members.reassign(std::move(replicas), std::move(adding), removing);
  stage_.trace(fmt::format("partition {} is to move to {}", partition, fmt::join(wanted, " ")));
  tell(partition);
}

void Moves::on_reassigned(int partition, const metadata::Partition& members) {
  metadata::Partition& now = placement_.partitions[static_cast<std::size_t>(partition)].members;
  if (now != members) return;
  ++counts_.moves_done;
  now.reassign(members.target(), {}, {});
  stage_.trace(
      fmt::format("partition {} has moved to {}", partition, fmt::join(now.replicas, " ")));
  tell(partition);
}

void Moves::tell(int partition) {
  for (NodeId id = 1; id <= plan_.voters; ++id) {
    tell(partition, id, milliseconds(random_.below(image_delay_ms_max)));
  }
}

/// Who is down finds it with its next start.
void Moves::tell(int partition, NodeId id, milliseconds delay) {
  stage_.at(delay, [this, partition, id] {
    Node& node = stage_.node(id);
    if (!node.serves()) return;
    if (node.paused()) return tell(partition, id, paused_retry);
    node.partitions().follow(partition);
    stage_.happened(id);
  });
}

}  // namespace chronik::sim
