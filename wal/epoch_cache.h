// EpochCache: where each leader epoch of a log begins, by offset and by index; Kafka's
// leader-epoch-checkpoint and what OffsetForLeaderEpoch is answered from. Ascending in all three
// fields. Part of the checkpoint. Pure.
#pragma once

#include <optional>
#include <vector>

#include "base/types.h"

namespace chronik::wal {

struct EpochStart {
  LeaderEpoch epoch = no_leader_epoch;
  Offset start_offset = 0;
  EntryIndex start_index = 0;

  bool operator==(const EpochStart&) const = default;
};

struct EpochEnd {
  LeaderEpoch epoch = no_leader_epoch;
  Offset end_offset = 0;

  bool operator==(const EpochEnd&) const = default;
};

class EpochCache {
 public:
  EpochCache() = default;
  explicit EpochCache(std::vector<EpochStart> starts) : starts_(std::move(starts)) {}

  /// -1 when no epoch is known.
  LeaderEpoch latest() const { return starts_.empty() ? no_leader_epoch : starts_.back().epoch; }
  const std::vector<EpochStart>& starts() const { return starts_; }

  /// An entry of `epoch`, or its beginning without one, at this place. Epochs that began at the
  /// same offset and index without an entry are replaced. Precondition: epoch >= latest().
  void assign(LeaderEpoch epoch, Offset offset, EntryIndex index);
  /// Kafka's endOffsetFor in a log that begins at log_start: the largest known epoch <= `epoch` and
  /// the offset at which the next one starts (log_end for the latest). Older than all that have
  /// entries left: `epoch` itself and where the oldest of those begins.
  std::optional<EpochEnd> end_of(LeaderEpoch epoch, Offset log_start, Offset log_end) const;
  std::optional<LeaderEpoch> epoch_at(EntryIndex index) const;
  /// The first entry left has this index: forgets epochs that ended before the entry in front of
  /// it, whose epoch replication asks for.
  void truncate_front(EntryIndex start_index);
  /// Entries behind index `last_kept` are gone.
  void truncate_back(EntryIndex last_kept);

 private:
  std::vector<EpochStart> starts_;
};

}  // namespace chronik::wal
