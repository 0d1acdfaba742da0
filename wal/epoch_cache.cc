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

std::optional<EpochEnd> EpochCache::end_of(LeaderEpoch epoch, Offset log_end) const {
  if (epoch < 0 || epoch > latest()) return std::nullopt;
  if (epoch == latest()) return EpochEnd{epoch, log_end};
  const auto next = std::upper_bound(
      starts_.begin(), starts_.end(), epoch,
      [](LeaderEpoch wanted, const EpochStart& start) { return wanted < start.epoch; });
  if (next == starts_.begin()) return EpochEnd{epoch, next->start_offset};
  return EpochEnd{std::prev(next)->epoch, next->start_offset};
}

std::optional<LeaderEpoch> EpochCache::epoch_at(EntryIndex index) const {
  const auto next = std::upper_bound(
      starts_.begin(), starts_.end(), index,
      [](EntryIndex wanted, const EpochStart& start) { return wanted < start.start_index; });
  if (next == starts_.begin()) return std::nullopt;
  return std::prev(next)->epoch;
}

void EpochCache::truncate_front(Offset start, EntryIndex start_index) {
  // The epoch that holds the new start keeps its place, beginning there.
  const auto next = std::upper_bound(
      starts_.begin(), starts_.end(), start_index,
      [](EntryIndex wanted, const EpochStart& at) { return wanted < at.start_index; });
  if (next == starts_.begin()) return;
  const auto holder = std::prev(next);
  holder->start_offset = std::max(holder->start_offset, start);
  holder->start_index = start_index;
  starts_.erase(starts_.begin(), holder);
}

void EpochCache::truncate_back(EntryIndex last_kept) {
  while (!starts_.empty() && starts_.back().start_index > last_kept) starts_.pop_back();
}

}  // namespace chronik::wal
