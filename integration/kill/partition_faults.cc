#include "integration/kill/partition_faults.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>

#include "base/check.h"

namespace chronik::integration {

PartitionFaults::PartitionFaults(ClusterProcesses& cluster, Connections& connections,
                                 NodeNetwork* network, Random& random, Problems& problems)
    : cluster_(cluster),
      connections_(connections),
      network_(network),
      random_(random),
      problems_(problems) {}

const std::vector<std::string>& PartitionFaults::kinds() {
  static const std::vector<std::string> all{"kill", "pause", "stop", "cut", "one-way",
                                            "full", "wipe",  "two",  "both"};
  return all;
}

bool PartitionFaults::needs_network(const std::string& kind) {
  return kind == "cut" || kind == "one-way";
}

std::string PartitionFaults::one_of_two() {
  const std::vector<std::string> those{"kill", "pause", "stop", "cut"};
  const std::string& one = those[random_.below(those.size())];
  return needs_network(one) && network_ == nullptr ? "kill" : one;
}

void PartitionFaults::inflict(const std::string& kind, int node) {
  if (kind == "kill") {
    cluster_.node(node).kill();
  } else if (kind == "pause") {
    cluster_.node(node).send_signal(SIGSTOP);
  } else if (kind == "stop") {
    if (const int status = cluster_.node(node).stop(); status != 0) {
      problems_.push_back(fmt::format("node {} did not stop: status {}", node, status));
    }
  } else if (kind == "cut") {
    cut(node);
  } else if (kind == "one-way") {
    lose_one_way(node);
  } else if (kind == "full") {
    NodeDisks::fill(cluster_.node(node).data_directory());
  } else {
    CHECK_MSG(kind == "wipe", kind);
    wipe(node);
  }
}

/// From all others, or from one of them.
void PartitionFaults::cut(int node) {
  const bool from_one = random_.below(4) == 0;
  const int first = static_cast<int>(1 + random_.below(static_cast<std::uint64_t>(nodes() - 1)));
  for (int step = 1; step < nodes(); ++step) {
    if (from_one && step != first) continue;
    network_->cut(node, other(node, step));
    network_->cut(other(node, step), node);
  }
}

void PartitionFaults::lose_one_way(int node) {
  const bool outward = random_.below(2) == 0;
  for (int step = 1; step < nodes(); ++step) {
    const int there = other(node, step);
    network_->cut(outward ? node : there, outward ? there : node);
  }
}

/// The directory itself stays: it may be a disk's.
void PartitionFaults::wipe(int node) {
  cluster_.node(node).kill();
  for (const auto& entry :
       std::filesystem::directory_iterator(cluster_.node(node).data_directory())) {
    std::filesystem::remove_all(entry.path());
  }
}

void PartitionFaults::undo(const std::string& kind, int node) {
  if (kind == "pause") {
    cluster_.node(node).send_signal(SIGCONT);
  } else if (needs_network(kind)) {
    network_->heal();
  } else if (kind == "full") {
    NodeDisks::release(cluster_.node(node).data_directory());
  } else {
    connections_.forget(node);
    cluster_.node(node).start();
  }
}

}  // namespace chronik::integration
