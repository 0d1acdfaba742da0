#include "wal/compaction_plan.h"

#include <gtest/gtest.h>

namespace chronik::wal {
namespace {

constexpr Timestamp now = 10'000;

/// Segments of 100 offsets and 1000 bytes, one second apart; the last one is active.
std::vector<CompactionSegment> segments(int count) {
  std::vector<CompactionSegment> result;
  for (int i = 0; i < count; ++i) {
    CompactionSegment segment;
    segment.base_offset = i * 100;
    segment.end_offset = segment.base_offset + 100;
    segment.size_bytes = 1'000;
    segment.index_entries = 10;
    segment.first_timestamp = 1'000 * (i + 1);
    segment.max_timestamp = segment.first_timestamp + 999;
    segment.settled = i + 1 < count;
    result.push_back(segment);
  }
  return result;
}

LogSettings compacted() {
  LogSettings settings;
  settings.compact = true;
  return settings;
}

TEST(CompactionPlan, TheActiveSegmentIsLeftOut) {
  const Cleanable all = find_cleanable(segments(5), 0, compacted(), now);
  EXPECT_EQ(all.first_dirty, 0);
  EXPECT_EQ(all.below, 400);
  EXPECT_EQ(all.clean_bytes, 0u);
  EXPECT_EQ(all.dirty_bytes, 4'000u);
  EXPECT_DOUBLE_EQ(all.dirty_ratio(), 1.0);
  const Cleanable nothing = find_cleanable(segments(1), 0, compacted(), now);
  EXPECT_EQ(nothing.dirty_bytes, 0u);
  EXPECT_FALSE(wants_compaction(nothing, compacted()));
}

TEST(CompactionPlan, NothingBehindWhatIsNotSettledIsTouched) {
  std::vector<CompactionSegment> some = segments(5);
  some[1].settled = false;
  EXPECT_EQ(find_cleanable(some, 0, compacted(), now).below, 100);
}

TEST(CompactionPlan, TheDirtyRatioMustBeExceeded) {
  LogSettings settings = compacted();
  const Cleanable half = find_cleanable(segments(5), 200, settings, now);
  EXPECT_DOUBLE_EQ(half.dirty_ratio(), 0.5);
  EXPECT_FALSE(wants_compaction(half, settings));
  settings.min_cleanable_dirty_ratio = 0.49;
  EXPECT_TRUE(wants_compaction(half, settings));
  settings.compact = false;
  EXPECT_FALSE(wants_compaction(half, settings));
}

TEST(CompactionPlan, ASegmentThatIsDirtyInPartCountsAsDirty) {
  const Cleanable part = find_cleanable(segments(5), 250, compacted(), now);
  EXPECT_EQ(part.clean_bytes, 2'000u);
  EXPECT_EQ(part.dirty_bytes, 2'000u);
}

TEST(CompactionPlan, MinCompactionLagProtectsTheHead) {
  LogSettings settings = compacted();
  settings.min_compaction_lag = milliseconds(7'001);
  // The second segment's last record is 7001 ms old.
  EXPECT_EQ(find_cleanable(segments(5), 0, settings, now).below, 200);
  settings.min_compaction_lag = milliseconds(7'002);
  EXPECT_EQ(find_cleanable(segments(5), 0, settings, now).below, 100);
}

TEST(CompactionPlan, MaxCompactionLagGoesBeforeTheRatio) {
  LogSettings settings = compacted();
  settings.min_cleanable_dirty_ratio = 1;
  settings.max_compaction_lag = milliseconds(6'000);
  EXPECT_TRUE(wants_compaction(find_cleanable(segments(5), 200, settings, now), settings));
  settings.max_compaction_lag = milliseconds(7'000);
  EXPECT_FALSE(wants_compaction(find_cleanable(segments(5), 200, settings, now), settings));
}

TEST(CompactionPlan, NeighboursAreGroupedUpToTheSizeOfASegment) {
  LogSettings settings = compacted();
  settings.segment_bytes = 2'500;
  using Groups = std::vector<SegmentGroup>;
  EXPECT_EQ(group_segments(segments(6), 500, settings), (Groups{{0, 2}, {2, 4}, {4, 5}}));
  EXPECT_EQ(group_segments(segments(6), 401, settings), (Groups{{0, 2}, {2, 4}, {4, 5}}));
  EXPECT_EQ(group_segments(segments(6), 0, settings), Groups{});
  settings.segment_bytes = 10;
  EXPECT_EQ(group_segments(segments(3), 200, settings), (Groups{{0, 1}, {1, 2}}));
  settings.segment_bytes = 1 << 30;
  settings.segment_index_bytes = 640;
  EXPECT_EQ(group_segments(segments(5), 400, settings), (Groups{{0, 2}, {2, 4}}));
}

TEST(CompactionPlan, AGroupHasNoMoreOffsetsThanAnIndexCanName) {
  std::vector<CompactionSegment> far = segments(4);
  far[1].end_offset = far[2].base_offset = Offset{1} << 32;
  far[2].end_offset = far[3].base_offset = (Offset{1} << 32) + 5;
  far[3].end_offset = (Offset{1} << 32) + 9;
  EXPECT_EQ(group_segments(far, far[3].base_offset, compacted()),
            (std::vector<SegmentGroup>{{0, 1}, {1, 2}, {2, 3}}));
}

}  // namespace
}  // namespace chronik::wal
