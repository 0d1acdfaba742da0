// The part of PartitionLog that shortens it: DeleteRecords, retention, truncation.
#include <algorithm>

#include "base/log.h"
#include "wal/flush_work.h"
#include "wal/format.h"
#include "wal/partition_log.h"

namespace chronik::wal {

/// Drops the first segments. Their files go after the next checkpoint, which no longer has them.
void PartitionLog::drop_front(std::size_t count, Offset start) {
  start_offset_ = std::max(start_offset_, start);
  checkpoint_wanted_ = true;
  for (std::size_t i = 0; i < count; ++i) {
    const Segment& segment = *segments_[i];
    if (segment.file_made) removals_.push_back(path(segment, log_suffix));
    if (segment.facts.index_entries != 0) removals_.push_back(path(segment, index_suffix));
  }
  segments_.erase(segments_.begin(), segments_.begin() + static_cast<std::ptrdiff_t>(count));
  environment_.counters.segments_deleted += count;
  epochs_.truncate_front(first_index());
  if (derived_ != nullptr) derived_->on_log_start(start_offset_);
}

bool PartitionLog::is_durable(std::size_t number) const {
  // By index: entries of Raft's own at the end take no offset.
  return segment_end_index(number) <= durable_last_index_ + 1;
}

Result<void> PartitionLog::delete_before(Offset offset, EntryIndex last) {
  if (offset <= start_offset_) {
    // Deleted before, but perhaps by a process that died before that was durable.
    checkpoint_wanted_ = checkpoint_wanted_ || offset > durable_start_offset_;
    return {};
  }
  if (offset > durable_end_offset_) {
    return Error{Errc::out_of_range,
                 fmt::format("cannot delete records before {}: the log ends at {}", offset,
                             durable_end_offset_)};
  }
  std::size_t count = 0;
  // The active segment stays, so that the log goes on in it; one that is not synced stays until it
  // is, or it would have a successor before it is durable.
  // And a run of compaction reads them all: the next retention pass drops them.
  while (!compaction_.in_flight && count + 1 < segments_.size() &&
         segments_[count + 1]->facts.base_offset <= offset && is_durable(count) &&
         segments_[count + 1]->facts.base_index - 1 <= last &&
         unsynced_segment_ != segments_[count]->facts.base_offset) {
    ++count;
  }
  drop_front(count, offset);
  return {};
}

void PartitionLog::seal_if_due(Timestamp now) {
  if (segments_.empty() || segments_.back()->facts.base_offset == end_offset_) return;
  Segment& active = *segments_.back();
  if (active.sealed || active.facts.compacted()) return;
  const Timestamp first = active.facts.first_timestamp;
  active.sealed = first != no_timestamp && now - first > settings_->roll_age().count();
}

std::size_t PartitionLog::apply_retention(Timestamp now, Offset below, EntryIndex last) {
  const LogSettings& settings = *settings_;
  if (!settings.delete_old || compaction_.in_flight) return 0;
  std::uint64_t size = size_bytes();
  std::size_t count = 0;
  while (count < segments_.size() && is_durable(count)) {
    const SegmentFacts& facts = segments_[count]->facts;
    const bool active = count + 1 == segments_.size();
    // A segment in which no offset was taken would give its name to its successor.
    if (active && facts.base_offset == end_offset_) break;
    if (segment_end_offset(count) > below || segment_end_index(count) - 1 > last) break;
    const bool too_old = settings.retention_ms.has_value() && facts.max_timestamp >= 0 &&
                         now - facts.max_timestamp > settings.retention_ms->count();
    const bool too_large = settings.retention_bytes.has_value() &&
                           size - facts.size_bytes >= *settings.retention_bytes;
    const bool below_start = segment_end_offset(count) <= start_offset_ && !active;
    if (!too_old && !too_large && !below_start) break;
    if (unsynced_segment_ == facts.base_offset) {
      // It would have a successor before it is durable: the next pass finds it synced.
      checkpoint_wanted_ = true;
      break;
    }
    size -= facts.size_bytes;
    ++count;
  }
  if (count == 0) return 0;
  const Offset start =
      count == segments_.size() ? end_offset_ : segments_[count]->facts.base_offset;
  log_info("old segments are deleted", {{"directory", directory_},
                                        {"segments", count},
                                        {"log_start_offset", std::max(start, start_offset_)}});
  drop_front(count, start);
  return count;
}

/// Takes the entries behind `last_kept` out of memory.
void PartitionLog::cut_tail(EntryIndex last_kept) {
  while (in_flight_visible_ != 0 && in_flight_->entries[in_flight_visible_ - 1].index > last_kept) {
    --in_flight_visible_;
  }
  if (tail_ == nullptr) return;
  while (!tail_->entries.empty() && tail_->entries.back().index > last_kept) {
    tail_->entries.pop_back();
  }
}

Error PartitionLog::below_start(EntryIndex last_kept) const {
  return {Errc::out_of_range,
          fmt::format("{}: cutting behind entry {} would end the log below its start {}",
                      directory_, last_kept, start_offset_)};
}

/// Sets the segment's facts back to what they were behind `last_kept`.
Result<void> PartitionLog::cut_segment(Segment& segment, EntryIndex last_kept) {
  const EntryIndex base = segment.facts.base_index;
  TRY_ASSIGN(const IndexEntry near, find_index(segment, [&](const IndexEntry& entry) {
               return base + entry.index_delta <= last_kept;
             }));
  // The first batch with the largest timestamp before `near` lies behind the last index entry that
  // does not know this timestamp yet.
  SegmentFacts facts;
  facts.base_offset = segment.facts.base_offset;
  facts.base_index = base;
  facts.first_timestamp = segment.facts.first_timestamp;
  facts.max_timestamp = near.max_timestamp_before;
  facts.chain = near.chain;
  facts.size_bytes = near.position;
  for (const SkipRange& skip : segment.facts.skips) {
    if (skip.position < near.position) facts.skips.push_back(skip);
  }
  if (facts.max_timestamp != no_timestamp) {
    TRY_ASSIGN(const IndexEntry before_max, find_index(segment, [&](const IndexEntry& entry) {
                 return entry.max_timestamp_before < facts.max_timestamp;
               }));
    TRY(walk(segment, before_max.position, [&](const EntryPlace& place) {
      if (takes_no_offset(place.header) || place.header.max_timestamp < facts.max_timestamp) {
        return true;
      }
      facts.max_timestamp_batch = place.header.base_offset;
      return false;
    }));
  }
  // add() makes the index entries behind `near` again; those up to it stay as they are.
  Segment again(std::move(facts));
  again.last_indexed_position = near.position;
  EntryIndex index = base + near.index_delta;
  Offset end_offset = segment.facts.base_offset + near.offset_delta;
  TRY(walk(segment, near.position, [&](const EntryPlace& place) {
    if (index > last_kept) return false;
    again.add(place.header, place.prefix, index++, settings_->index_interval_bytes);
    end_offset = place.header.next_offset();
    return true;
  }));
  if (end_offset < start_offset_) return below_start(last_kept);
  const auto kept = [&](const IndexEntry& entry) { return entry.position <= near.position; };
  if (segment.index_file_entries != 0) {
    const auto search = [&]() -> Result<std::optional<FoundIndexEntry>> {
      TRY_ASSIGN(const auto file,
                 environment_.files.get(environment_.disk, segment.index_file,
                                        path(segment, index_suffix), OpenMode::read));
      return find_last_entry(*file, segment.index_file_entries, kept);
    };
    Result<std::optional<FoundIndexEntry>> last = search();
    if (last) {
      segment.index_file_entries = last->has_value() ? (*last)->number + 1 : 0;
    } else {
      const Errc code = last.error().code;
      if (code != Errc::corrupt && code != Errc::not_found) return std::move(last).error();
      TRY(rebuild_index(segment));
    }
  }
  auto& tail = segment.index_tail;
  tail.erase(std::partition_point(tail.begin(), tail.end(), kept), tail.end());
  tail.insert(tail.end(), again.index_tail.begin(), again.index_tail.end());
  segment.last_indexed_position = again.last_indexed_position;
  segment.facts = std::move(again.facts);
  segment.facts.index_entries =
      segment.index_file_entries + static_cast<std::uint32_t>(tail.size());
  if (segment.facts.max_timestamp == no_timestamp) segment.facts.first_timestamp = no_timestamp;
  end_offset_ = end_offset;
  return {};
}

/// What the first segments taught before they were deleted is known from nowhere else.
Result<void> PartitionLog::cut_derived() {
  if (derived_ == nullptr || derived_->forget_beyond(end_offset_)) return {};
  const Offset begin = segments_.empty() ? end_offset_ : segments_.front()->facts.base_offset;
  if (!derived_->restore(derived_->save_below(begin))) derived_->reset();
  for (const auto& segment : segments_) {
    TRY(walk(*segment, 0, [&](const EntryPlace& place) {
      if (!takes_no_offset(place.header)) derived_->apply(place.header);
      return true;
    }));
  }
  return {};
}

/// The last entry that segment files have or will have when the flush under way ends.
EntryIndex PartitionLog::last_index_on_disk() const {
  if (truncate_.has_value()) return truncate_->last_kept;
  return in_flight_ != nullptr ? in_flight_->entries.back().index : durable_last_index_;
}

namespace {

Bytes checkpoint_of_cut(Checkpoint state, const std::vector<std::unique_ptr<Segment>>& segments) {
  state.cut_under_way = true;
  // The index files have only what earlier checkpoints wrote.
  for (std::size_t i = 0; i < segments.size(); ++i) {
    state.segments[i].index_entries = segments[i]->index_file_entries;
  }
  return encode_checkpoint(state);
}

}  // namespace

Result<void> PartitionLog::truncate_after(EntryIndex last_kept) {
  if (last_kept > last_index_ || last_kept < start_index() - 1) {
    return Error{Errc::out_of_range,
                 fmt::format("cannot cut the log behind entry {}: it has {} to {}", last_kept,
                             start_index(), last_index_)};
  }
  if (last_kept == last_index_) return {};
  const bool on_disk = last_kept < last_index_on_disk();
  const Offset old_end = end_offset_;
  const std::uint64_t old_size = size_bytes();
  std::size_t keep = segments_.size();
  while (keep > 0 && segments_[keep - 1]->facts.base_index > last_kept) --keep;
  // What was compacted has no entries to cut: all behind it goes, and the log goes on in a new
  // segment.
  const bool cuts = keep > 0 && !segments_[keep - 1]->facts.compacted();
  if (cuts) {
    TRY(cut_segment(*segments_[keep - 1], last_kept));
  } else {
    if (segments_[keep]->facts.base_offset < start_offset_) return below_start(last_kept);
    end_offset_ = segments_[keep]->facts.base_offset;
  }
  cut_tail(last_kept);
  const bool pending = truncate_.has_value();
  TruncateWork work = pending ? std::move(*truncate_) : TruncateWork{};
  if (on_disk) work.cut_segment.reset();
  while (segments_.size() > keep) {
    const Offset base = segments_.back()->facts.base_offset;
    // Files that the flush under way is about to make go too.
    if (on_disk) work.removed_segments.push_back(segments_.back()->facts.name());
    if (unsynced_segment_ == base) unsynced_segment_.reset();
    segments_.pop_back();
  }
  last_index_ = last_kept;
  durable_last_index_ = std::min(durable_last_index_, last_kept);
  durable_end_offset_ = std::min(durable_end_offset_, end_offset_);
  epochs_.truncate_back(last_kept);
  compaction_.first_dirty_offset = std::min(compaction_.first_dirty_offset, end_offset_);
  hints_ = {};
  ++generation_;
  if (cuts) {
    Segment& segment = *segments_.back();
    segment.written_bytes = std::min(segment.written_bytes, segment.facts.size_bytes);
    if (on_disk) {
      work.cut_segment = segment.facts.base_offset;
      work.cut_position = segment.facts.size_bytes;
    }
  }
  log_info("the log is cut", {{"directory", directory_},
                              {"last_index", last_kept},
                              {"end_offset", end_offset_},
                              {"was", old_end}});
  if (Result<void> cut = cut_derived(); !cut) {
    poisoned_ = true;
    return cut;
  }
  if (on_disk) {
    work.last_kept = last_kept;
    work.checkpoint_done = false;
    work.checkpoint = checkpoint_of_cut(state(), segments_);
    unsaved_bytes_ = 0;
  } else {
    // Or a log that was never written would get a checkpoint, and with it a directory without name.
    unsaved_bytes_ -= std::min(unsaved_bytes_, old_size - size_bytes());
  }
  if (on_disk || pending) truncate_ = std::move(work);
  return {};
}

}  // namespace chronik::wal
