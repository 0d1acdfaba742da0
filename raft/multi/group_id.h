// GroupId: names a Raft group: one partition of one topic. The metadata log is a partition like any
// other. A value.
#pragma once

#include <compare>
#include <cstddef>
#include <functional>
#include <string>

#include "base/types.h"
#include "base/uuid.h"

namespace chronik::raft {

struct GroupId {
  Uuid topic_id;
  PartitionId partition = 0;

  auto operator<=>(const GroupId&) const = default;
  /// "<topic id>-<partition>", for log lines.
  std::string to_string() const { return topic_id.to_string() + "-" + std::to_string(partition); }
};

}  // namespace chronik::raft

template <>
struct std::hash<chronik::raft::GroupId> {
  std::size_t operator()(const chronik::raft::GroupId& id) const noexcept {
    return std::hash<chronik::Uuid>()(id.topic_id) * 31 + static_cast<std::size_t>(id.partition);
  }
};
