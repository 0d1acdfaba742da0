// LeftStates: what this node must not forget of groups that it has left, although their logs are
// removed. A leader that was deposed meanwhile may still count it, and an acknowledgement of old
// may still be on its way: who comes back without log and term could help to commit, or to elect,
// what it would have refused. So it comes back as a replica that lost its log does: in a later
// term, and withheld (withhold() in raft/core/options.h).
//
// In `<data directory>/chronik.left/<topic id>-<partition>/`, as a StateFile. Reads and writes here
// and now. One per shard, for the groups of that shard; its owner removes those of deleted topics.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "raft/core/types.h"
#include "raft/multi/group_id.h"
#include "raft/multi/replica_files.h"

namespace chronik::raft {

class LeftStates {
 public:
  /// `disk` outlives it.
  LeftStates(Disk& disk, std::string_view data_directory);

  /// The replica's last hard state: what it promised is covered by what is kept. Durable on return:
  /// only then may the log go. Errors: io, no_space, corrupt (what was kept before).
  Result<void> keep(const GroupId& group, const HardState& last);
  /// The same for a replica whose directory is left from before a restart. Nothing where it has no
  /// state. Errors: those of StateFile::load(), too.
  Result<void> keep_of(const std::string& directory, const GroupId& group);
  /// How a replica of the group begins that comes to this node, and of which recovery that is;
  /// nothing: it was never here. Errors: io, corrupt.
  Result<std::optional<LeftState>> find(const GroupId& group) const;

  struct Kept {
    GroupId group;
    std::string directory;
  };
  /// All there are, of all shards. Errors: io.
  Result<std::vector<Kept>> list() const;
  /// Where the state of this group is, if there is one.
  std::string directory_of(const GroupId& group) const;

 private:
  Disk& disk_;
  const std::string data_directory_;
  const std::string root_;
};

}  // namespace chronik::raft
