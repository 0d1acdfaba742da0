// What the leader of partitions tells the other nodes: that it leads, since which epoch, and which
// replicas are in sync. So each node can answer for partitions it has no replica of, without a
// metadata event for each change of leadership (design: leadership is not metadata). A frame of the
// cluster port; its first byte tells it from the others. Pure.
//
//   u8 0xc2 | version u8 1 | count u32 | per partition: topic id 16 bytes | partition i32 |
//     epoch i32 | count u8 | in sync, i32 each
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/types.h"
#include "base/uuid.h"

namespace chronik::broker {

struct LeaderNews {
  Uuid topic_id;
  PartitionId partition = 0;
  LeaderEpoch epoch = 0;
  std::vector<BrokerId> in_sync;  // at most 255

  bool operator==(const LeaderNews&) const = default;
};

ByteChain encode(std::span<const LeaderNews> news);

bool is_leader_news(ByteView frame);
/// Nothing when it cannot be read.
std::optional<std::vector<LeaderNews>> decode_leader_news(ByteView frame);

}  // namespace chronik::broker
