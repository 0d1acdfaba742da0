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

/// Whether each node's files have all records below `ends` (by partition). The nodes may run.
bool are_stored_everywhere(ClusterProcesses& cluster, const std::string& topic,
                           const std::vector<std::int64_t>& ends);
/// Compares the logs of all nodes, byte by byte, as far as they are committed: `ends` has each
/// partition's high watermark, which all of them must reach. Precondition: no node runs, and
/// are_stored_everywhere(). What it compared, for a person.
std::string compare_stored_partitions(ClusterProcesses& cluster, const std::string& topic,
                                      const std::vector<std::int64_t>& ends, Problems& problems);

/// The directories of partitions of `topics` that any node has.
std::vector<std::string> stored_directories(ClusterProcesses& cluster,
                                            const std::vector<std::string>& topics);

}  // namespace chronik::integration
