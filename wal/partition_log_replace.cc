// The part of PartitionLog that replication needs around snapshots: a log that goes on elsewhere,
// and Raft's own entries of one that was opened.
#include "base/log.h"
#include "wal/flush_work.h"
#include "wal/format.h"
#include "wal/partition_log.h"

namespace chronik::wal {

// Its directory must be there, and nothing compacted: that is the business of the partition's own
// snapshots, which take segments as they are.
void PartitionLog::restart_at(Offset offset, EntryIndex last_index, LeaderEpoch epoch) {
  CHECK(!closed_ && directory_made_ && !compaction_.in_flight);
  CHECK(offset >= 0 && last_index >= 0);
  TruncateWork work = truncate_.has_value() ? std::move(*truncate_) : TruncateWork{};
  work.cut_segment.reset();
  if (!segments_.empty()) {
    // Until everything is gone the log ends where it began: a start in between takes what is left
    // for the truncated log that it is.
    const SegmentFacts& first = segments_.front()->facts;
    start_offset_ = end_offset_ = first.base_offset;
    last_index_ = first.base_index - 1;
    epochs_.truncate_back(last_index_);
  }
  while (!segments_.empty()) {
    CHECK_MSG(!segments_.back()->facts.compacted(), directory_);
    work.removed_segments.push_back(segments_.back()->facts.base_offset);
    segments_.pop_back();
  }
  compaction_.first_dirty_offset = start_offset_;
  if (derived_ != nullptr) derived_->reset();
  if (!work.removed_segments.empty()) {
    work.checkpoint_done = false;
    Checkpoint emptied = state();
    emptied.cut_under_way = true;
    work.checkpoint = encode_checkpoint(emptied);
  } else if (work.checkpoint.empty()) {
    work.checkpoint_done = true;
  }

  start_offset_ = end_offset_ = durable_end_offset_ = offset;
  last_index_ = durable_last_index_ = last_index;
  epochs_ = {};
  if (epoch >= 0) epochs_.assign(epoch, offset, last_index);
  compaction_.first_dirty_offset = offset;
  in_flight_visible_ = 0;
  if (tail_ != nullptr) tail_->entries.clear();
  unsynced_segment_.reset();
  recovered_segment_.reset();
  hints_ = {};
  unsaved_bytes_ = 0;
  ++generation_;
  work.last_kept = last_index;
  work.checkpoint_after = encode_checkpoint(state());
  truncate_ = std::move(work);
  log_info("the log goes on behind a snapshot",
           {{"directory", directory_}, {"offset", offset}, {"last_index", last_index}});
}

Result<std::vector<OwnEntry>> PartitionLog::own_entries() {
  std::vector<OwnEntry> found;
  for (const auto& owner : segments_) {
    Segment& segment = *owner;
    if (segment.facts.compacted()) continue;
    for (const SkipRange& skip : segment.facts.skips) {
      const std::uint64_t end = std::uint64_t{skip.position} + skip.size;
      TRY_ASSIGN(const IndexEntry near, find_index(segment, [&](const IndexEntry& entry) {
                   return entry.position <= skip.position;
                 }));
      EntryIndex index = segment.facts.base_index + near.index_delta;
      std::vector<std::pair<EntryIndex, EntryPlace>> places;
      TRY(walk(segment, near.position, [&](const EntryPlace& place) {
        if (place.position >= end) return false;
        if (place.position >= skip.position) places.emplace_back(index, place);
        ++index;
        return true;
      }));
      for (const auto& [at, place] : places) {
        TRY_ASSIGN(SharedBytes bytes, entry_bytes(segment, place));
        found.push_back({at, std::move(bytes)});
      }
    }
  }
  return found;
}

}  // namespace chronik::wal
