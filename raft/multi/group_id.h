// GroupId: names a Raft group: one partition of one topic, as often as that had to begin anew with
// what one replica had (raft/multi/recovery.h). The metadata log is a partition like any other. A
// value.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "base/types.h"
#include "base/uuid.h"

namespace chronik::raft {

/// Counts the recoveries of a partition; 0: there was none.
using RecoveryNumber = std::int32_t;

struct GroupId {
  Uuid topic_id;
  PartitionId partition = 0;
  /// Replicas of another number are of another history, and never hear each other.
  RecoveryNumber recovery = 0;

  auto operator<=>(const GroupId&) const = default;
  /// "<topic id>-<partition>", for log lines; with the recovery, where there was one.
  std::string to_string() const {
    std::string text = topic_id.to_string() + "-" + std::to_string(partition);
    if (recovery != 0) text += " (recovery " + std::to_string(recovery) + ")";
    return text;
  }
};

}  // namespace chronik::raft

template <>
struct std::hash<chronik::raft::GroupId> {
  std::size_t operator()(const chronik::raft::GroupId& id) const noexcept {
    return std::hash<chronik::Uuid>()(id.topic_id) * 31 + static_cast<std::size_t>(id.partition);
  }
};
