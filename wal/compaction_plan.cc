#include "wal/compaction_plan.h"

#include <algorithm>
#include <limits>

#include "wal/segment_index.h"

namespace chronik::wal {

Cleanable find_cleanable(std::span<const CompactionSegment> segments, Offset first_dirty,
                         const LogSettings& settings, Timestamp now) {
  Cleanable result;
  result.first_dirty = result.below = first_dirty;
  bool open = true;  // so far nothing was met that must not be touched
  for (const CompactionSegment& segment : segments) {
    if (segment.end_offset <= first_dirty) {
      result.clean_bytes += segment.size_bytes;
      continue;
    }
    const auto min_lag = settings.min_compaction_lag.count();
    const bool fresh = min_lag > 0 && segment.max_timestamp > now - min_lag;
    open = open && segment.settled && !fresh;
    if (!open) break;
    result.below = segment.end_offset;
    result.dirty_bytes += segment.size_bytes;
    const auto max_lag = settings.max_compaction_lag.count();
    result.overdue =
        result.overdue || (segment.first_timestamp > 0 && segment.first_timestamp < now - max_lag);
  }
  return result;
}

bool wants_compaction(const Cleanable& cleanable, const LogSettings& settings) {
  if (!settings.compact || cleanable.dirty_bytes == 0) return false;
  return cleanable.overdue || cleanable.dirty_ratio() > settings.min_cleanable_dirty_ratio;
}

std::vector<SegmentGroup> group_segments(std::span<const CompactionSegment> segments, Offset below,
                                         const LogSettings& settings) {
  constexpr Offset offsets_max = std::numeric_limits<std::int32_t>::max();
  std::vector<SegmentGroup> groups;
  std::uint64_t bytes = 0;
  std::uint64_t index_bytes = 0;
  for (std::size_t i = 0; i < segments.size() && segments[i].base_offset < below; ++i) {
    const CompactionSegment& segment = segments[i];
    const std::uint64_t own_index = std::uint64_t{segment.index_entries} * index_entry_bytes;
    const bool fits = !groups.empty() && bytes + segment.size_bytes <= settings.segment_bytes &&
                      index_bytes + own_index <= settings.segment_index_bytes &&
                      segment.end_offset - segments[groups.back().begin].base_offset <= offsets_max;
    if (!fits) {
      groups.push_back({i, i});
      bytes = index_bytes = 0;
    }
    groups.back().end = i + 1;
    bytes += segment.size_bytes;
    index_bytes += own_index;
  }
  return groups;
}

}  // namespace chronik::wal
