#include "wal/partition_deletion.h"

#include <algorithm>

#include "wal/file_removal.h"
#include "wal/recovery.h"

namespace chronik::wal {

Result<void> PartitionDeletion::run(Disk& disk) {
  const std::string parent = directory.substr(0, directory.find_last_of('/'));
  if (!renamed) {
    TRY_ASSIGN(const PartitionFiles files, list_partition_files(disk, directory));
    const bool ours = std::find(files.topic_ids.begin(), files.topic_ids.end(),
                                identity.topic_id) != files.topic_ids.end();
    if (!files.exists || !ours) return {};
    TRY_ASSIGN(aside, unused_aside(disk, parent, identity.topic_id, identity.partition));
    TRY(disk.rename(directory, aside));
    renamed = true;
  }
  return disk.sync_directory(parent);
}

}  // namespace chronik::wal
