// What lies in the data directory of partitions that went, deleted or moved to other nodes, while
// the broker started or was not there. Functions; called while it starts.
#pragma once

#include <vector>

#include "base/result.h"
#include "metadata/image.h"
#include "raft/multi/left_states.h"
#include "wal/log_directory.h"

namespace chronik::broker {

/// Of those that were wanted when the start looked: whoever is not wanted by `image`, nobody opens,
/// and so nobody would remove. `image`: by which the others of `kept` are opened, in the same
/// turn. Renamed durably on return; their new paths are in `all.deleted`, for
/// GroupCommit::remove_directory. Errors: io.
Result<void> set_aside_gone(const std::vector<wal::FoundPartition>& kept,
                            const metadata::Image& image, BrokerId node,
                            wal::LogDirectory& directory, raft::LeftStates& left,
                            wal::FoundPartitions& all);

/// One that has moved to other nodes, whose group may still count this one: see LeftStates. As
/// set_aside_gone(). Errors: io, and those of LeftStates::keep_of().
Result<void> set_aside_moved(const wal::FoundPartition& partition, wal::LogDirectory& directory,
                             raft::LeftStates& left, wal::FoundPartitions& all);

/// What is kept of groups whose topics are deleted goes the same way.
Result<void> find_left_of_deleted(const raft::LeftStates& left, const metadata::Image& image,
                                  wal::FoundPartitions& all);

}  // namespace chronik::broker
