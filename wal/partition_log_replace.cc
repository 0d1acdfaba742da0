// The part of PartitionLog that replication needs around snapshots: a log that goes on elsewhere,
// and Raft's own entries of one that was opened.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "wal/flush_work.h"
#include "wal/format.h"
#include "wal/log_begin.h"
#include "wal/partition_log.h"

namespace chronik::wal {

std::optional<Checkpoint> PartitionLog::begin_before(EntryIndex first) const {
  std::size_t count = 0;
  while (count < segments_.size() && segment_end_index(count) <= first) ++count;
  if ((count == 0 ? first_index() : segment_end_index(count - 1)) != first) return std::nullopt;
  Checkpoint begin;
  begin.identity = identity_;
  begin.end_offset = count == segments_.size() ? end_offset_ : segments_[count]->facts.base_offset;
  begin.start_offset = std::min(start_offset_, begin.end_offset);
  begin.last_index = first - 1;
  begin.first_dirty_offset = std::min(compaction_.first_dirty_offset, begin.end_offset);
  begin.segments.reserve(count);
  for (std::size_t i = 0; i < count; ++i) begin.segments.push_back(segments_[i]->facts);
  for (const EpochStart& start : epochs_.starts()) {
    if (start.start_index < first) begin.epochs.push_back(start);
  }
  if (derived_ != nullptr) {
    begin.has_derived = true;
    begin.derived = derived_->save_below(begin.end_offset);
  }
  return begin;
}

void PartitionLog::seal_behind(EntryIndex last) {
  if (last == last_index_ && !segments_.empty()) segments_.back()->sealed = true;
}

LogBeginReceiver PartitionLog::receive_begin() {
  return {place(), settings_->index_interval_bytes, compaction_.next_generation++, !cut_pending()};
}

// Its directory must be there.
void PartitionLog::restart_at(Checkpoint begin) {
  CHECK(!closed_ && directory_made_);
  CHECK(begin.start_offset >= 0 && begin.start_offset <= begin.end_offset && begin.last_index >= 0);
  TruncateWork work = truncate_.has_value() ? std::move(*truncate_) : TruncateWork{};
  work.cut_segment.reset();
  work.received.clear();
  // What was deleted here stays deleted, also where the other replica was not told yet.
  begin.start_offset = std::clamp(start_offset_, begin.start_offset, begin.end_offset);
  if (!segments_.empty()) {
    // Until everything is gone the log ends where it began: a start in between takes what is left
    // for the truncated log that it is.
    const SegmentFacts& first = segments_.front()->facts;
    start_offset_ = end_offset_ = first.base_offset;
    last_index_ = first.base_index - 1;
    epochs_.truncate_back(last_index_);
  }
  while (!segments_.empty()) {
    work.removed_segments.push_back(segments_.back()->facts.name());
    segments_.pop_back();
  }
  compaction_.first_dirty_offset = start_offset_;
  if (derived_ != nullptr) derived_->reset();
  work.at_once = std::ranges::all_of(work.removed_segments, [&](const SegmentName& segment) {
    return segment.base_offset < begin.end_offset;
  });
  if (work.at_once || !work.removed_segments.empty() || !begin.segments.empty()) {
    work.checkpoint_done = false;
    Checkpoint emptied = state();
    emptied.cut_under_way = !work.at_once;
    work.checkpoint = encode_checkpoint(emptied);
  } else if (work.checkpoint.empty()) {
    work.checkpoint_done = true;
  }
  take_begin(std::move(begin), work);
  truncate_ = std::move(work);
  log_info("the log goes on behind a snapshot", {{"directory", directory_},
                                                 {"offset", end_offset_},
                                                 {"last_index", last_index_},
                                                 {"segments", segments_.size()}});
}

void PartitionLog::take_begin(Checkpoint begin, TruncateWork& work) {
  start_offset_ = begin.start_offset;
  end_offset_ = durable_end_offset_ = begin.end_offset;
  last_index_ = durable_last_index_ = begin.last_index;
  epochs_ = EpochCache(std::move(begin.epochs));
  compaction_.first_dirty_offset = std::max(begin.first_dirty_offset, begin.start_offset);
  compaction_.refused.clear();
  for (SegmentFacts& facts : begin.segments) {
    work.received.push_back(facts.name());
    segments_.push_back(written_segment(std::move(facts)));
  }
  if (derived_ != nullptr && begin.has_derived) {
    if (const Result<void> restored = derived_->restore(begin.derived); !restored) {
      log_warn("what another node knew beside its log cannot be read",
               {{"directory", directory_}, {"why", restored.error().message}});
      derived_->reset();
    }
  }
  in_flight_visible_ = 0;
  if (tail_ != nullptr) tail_->entries.clear();
  unsynced_segment_.reset();
  recovered_segment_.reset();
  hints_ = {};
  unsaved_bytes_ = 0;
  ++generation_;
  work.last_kept = last_index_;
  work.checkpoint_after = encode_checkpoint(state());
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
