#include "raft/multi/left_states.h"

#include <spdlog/fmt/fmt.h>

#include <utility>

#include "raft/core/options.h"
#include "raft/multi/state_file.h"
#include "wal/log_directory.h"

namespace chronik::raft {

LeftStates::LeftStates(Disk& disk, std::string_view data_directory)
    : disk_(disk), data_directory_(data_directory), root_(data_directory_ + "/chronik.left") {}

std::string LeftStates::directory_of(const GroupId& group) const {
  return fmt::format("{}/{}", root_,
                     wal::partition_directory_name(group.topic_id.to_string(), group.partition));
}

Result<void> LeftStates::keep(const GroupId& group, const HardState& last) {
  // An earlier process may have made it and ended before that was durable.
  TRY(disk_.make_directories(root_));
  TRY(disk_.sync_directory(data_directory_));
  StateFile file(disk_, directory_of(group), group);
  TRY_ASSIGN(const std::optional<ReplicaState> before, file.load());
  ReplicaState state;
  state.hard = withhold(last);
  state.recovery = group.recovery;
  const bool same = before && before->recovery == state.recovery;
  if (same && before->hard.term > state.hard.term) state.hard = before->hard;
  if (before && before->recovery > state.recovery) return {};
  TRY(file.save(state));
  TRY(disk_.sync_directory(directory_of(group)));
  return disk_.sync_directory(root_);
}

Result<void> LeftStates::keep_of(const std::string& directory, const GroupId& group) {
  TRY_ASSIGN(const std::optional<ReplicaState> state, StateFile(disk_, directory, group).look());
  if (!state) return {};
  GroupId of_state = group;
  of_state.recovery = state->recovery;
  return keep(of_state, state->hard);
}

Result<std::optional<LeftState>> LeftStates::find(const GroupId& group) const {
  TRY_ASSIGN(const std::optional<ReplicaState> state,
             StateFile(disk_, directory_of(group), group).look());
  if (!state) return std::optional<LeftState>();
  return std::optional(LeftState{state->hard, state->recovery});
}

Result<std::vector<LeftStates::Kept>> LeftStates::list() const {
  std::vector<Kept> kept;
  TRY_ASSIGN(const bool made, disk_.exists(root_));
  if (!made) return kept;
  TRY_ASSIGN(const std::vector<DirectoryEntry> entries, disk_.list(root_));
  for (const DirectoryEntry& entry : entries) {
    const auto name = wal::parse_partition_directory_name(entry.name);
    if (!entry.is_directory || !name) continue;
    const std::optional<Uuid> id = Uuid::parse(name->first);
    if (id) kept.push_back({{*id, name->second}, root_ + "/" + entry.name});
  }
  return kept;
}

}  // namespace chronik::raft
