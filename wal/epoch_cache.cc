#include "wal/epoch_cache.h"

#include <algorithm>

#include "base/check.h"

namespace chronik::wal {

void EpochCache::assign(LeaderEpoch epoch, Offset offset, EntryIndex index) {
  CHECK(epoch >= latest());
  if (epoch == latest()) return;
  while (!starts_.empty() && starts_.back().start_index == index) starts_.pop_back();
  starts_.push_back({epoch, offset, index});
}

std::optional<EpochEnd> EpochCache::end_of(LeaderEpoch epoch, Offset log_start,
                                           Offset log_end) const {
  if (epoch < 0 || epoch > latest()) return std::nullopt;
  if (epoch == latest()) return EpochEnd{epoch, log_end};
  // The oldest epoch that counts is the one that holds the log start.
  auto oldest =
      std::upper_bound(starts_.begin(), starts_.end(), log_start,
                       [](Offset start, const EpochStart& at) { return start < at.start_offset; });
  if (oldest != starts_.begin()) --oldest;
  const auto next =
      std::upper_bound(oldest, starts_.end(), epoch,
                       [](LeaderEpoch wanted, const EpochStart& at) { return wanted < at.epoch; });
  const Offset end = std::max(next->start_offset, log_start);
  return EpochEnd{next == oldest ? epoch : std::prev(next)->epoch, end};
}

std::optional<LeaderEpoch> EpochCache::epoch_at(EntryIndex index) const {
  const auto next = std::upper_bound(
      starts_.begin(), starts_.end(), index,
      [](EntryIndex wanted, const EpochStart& start) { return wanted < start.start_index; });
  if (next == starts_.begin()) return std::nullopt;
  return std::prev(next)->epoch;
}

void EpochCache::truncate_front(EntryIndex start_index) {
  const auto next = std::upper_bound(
      starts_.begin(), starts_.end(), start_index - 1,
      [](EntryIndex wanted, const EpochStart& at) { return wanted < at.start_index; });
  if (next != starts_.begin()) starts_.erase(starts_.begin(), std::prev(next));
}

void EpochCache::truncate_back(EntryIndex last_kept) {
  while (!starts_.empty() && starts_.back().start_index > last_kept) starts_.pop_back();
}

}  // namespace chronik::wal
