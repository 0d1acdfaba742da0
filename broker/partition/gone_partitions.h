// What lies in the data directory of partitions that went, deleted or moved to other nodes, while
// the broker started. A function; called on the shard that opens the others.
#pragma once

#include <vector>

#include "base/result.h"
#include "metadata/image.h"
#include "wal/log_directory.h"

namespace chronik::broker {

/// Of those that were wanted when the start looked: whoever is not wanted by `image`, nobody opens,
/// and so nobody would remove. `image`: by which the others of `kept` are opened, in the same
/// turn. Renamed durably on return; their new paths are in `all.deleted`, for
/// GroupCommit::remove_directory. Errors: io.
Result<void> set_aside_gone(const std::vector<wal::FoundPartition>& kept,
                            const metadata::Image& image, BrokerId node,
                            wal::LogDirectory& directory, wal::FoundPartitions& all);

}  // namespace chronik::broker
