// The replicas of a partition as they lie in the directories of the nodes. Their
// segments are read as plain files, by the format alone (wal/format.md): a log that reads well
// through the code that wrote it is not asked for here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "integration/harness/cluster_processes.h"
#include "integration/kill/load.h"

namespace chronik::integration {

/// A topic, and what the nodes should have of it, by partition.
struct StoredTopic {
  std::string name;
  std::vector<std::int64_t> ends;                   // high watermarks
  std::vector<std::vector<std::int32_t>> replicas;  // the nodes that have one
};

/// Whether each node's files have all records below the high watermark of each partition that has a
/// replica there, and whether no other node has files of it. The nodes may run.
bool is_stored_everywhere(ClusterProcesses& cluster, const StoredTopic& topic);
/// Compares the logs of all replicas, byte by byte, as far as they are committed; all of them must
/// reach the high watermark. Precondition: no node runs, and is_stored_everywhere(). What it
/// compared, for a person.
std::string compare_stored_partitions(ClusterProcesses& cluster, const StoredTopic& topic,
                                      Problems& problems);

/// The directories of partitions of `topics` that any node has.
std::vector<std::string> stored_directories(ClusterProcesses& cluster,
                                            const std::vector<std::string>& topics);

}  // namespace chronik::integration
