// The metadata in the directories of nodes that do not run, as `chronik metadata dump` tells it.
#pragma once

#include <string>

#include "integration/harness/cluster_processes.h"
#include "integration/kill/load.h"

namespace chronik::integration {

/// Compares the images of all nodes after the last entry that all of their logs have. Precondition:
/// no node runs. What it compared, for a person; what differs goes to `problems`.
std::string compare_stored_metadata(ClusterProcesses& cluster, Problems& problems);

}  // namespace chronik::integration
