// The part of PartitionLog that looks records up by their timestamps.
#include <algorithm>

#include "protocol/record_reader.h"
#include "wal/partition_log.h"

namespace chronik::wal {

Result<std::optional<TimestampOffset>> PartitionLog::find_by_time(Timestamp target, Offset below) {
  std::optional<TimestampOffset> answer;
  below = std::min(below, end_offset_);
  for (std::size_t number = 0; number < segments_.size(); ++number) {
    Segment& segment = *segments_[number];
    if (segment.facts.base_offset >= below) break;
    if (segment_end_offset(number) <= start_offset_ || segment.facts.max_timestamp < target) {
      continue;
    }
    TRY_ASSIGN(const IndexEntry near, find_index(segment, [&](const IndexEntry& entry) {
                 return entry.max_timestamp_before < target;
               }));
    bool done = false;
    std::optional<Error> failure;
    const auto look_into = [&](const EntryPlace& place) -> Result<bool> {
      TRY_ASSIGN(const SharedBytes batch, entry_bytes(segment, place));
      TRY_ASSIGN(const auto found, protocol::find_by_timestamp(batch.view(), target, start_offset_,
                                                               environment_.scratch));
      if (!found.has_value()) return false;
      if (found->offset < below) {
        answer = TimestampOffset{found->timestamp, found->offset, place.header.leader_epoch};
      }
      return true;
    };
    TRY(walk(segment, near.position, [&](const EntryPlace& place) {
      if (place.header.base_offset >= below) {
        done = true;
        return false;
      }
      if (takes_no_offset(place.header) || place.header.max_timestamp < target ||
          place.header.next_offset() <= start_offset_) {
        return true;
      }
      const Result<bool> hit = look_into(place);
      if (!hit) failure = hit.error();
      done = !hit || *hit;
      return !done;
    }));
    if (failure) return *std::move(failure);
    if (done) return answer;
  }
  return answer;
}

/// The largest timestamp of the batches of a segment that begin below `below` and reach beyond the
/// log start.
Result<Timestamp> PartitionLog::max_timestamp_of(std::size_t number, Offset below) {
  Segment& segment = *segments_[number];
  const SegmentFacts& facts = segment.facts;
  if (facts.base_offset >= start_offset_ && segment_end_offset(number) <= below) {
    return facts.max_timestamp;
  }
  IndexEntry near = segment_beginning;
  if (facts.base_offset >= start_offset_) {
    TRY_ASSIGN(near, find_index(segment, [&](const IndexEntry& entry) {
                 return facts.base_offset + entry.offset_delta <= below;
               }));
  }
  Timestamp largest = near.max_timestamp_before;
  TRY(walk(segment, near.position, [&](const EntryPlace& place) {
    if (place.header.base_offset >= below) return false;
    if (!takes_no_offset(place.header) && !is_empty_batch(place.header) &&
        place.header.next_offset() > start_offset_) {
      largest = std::max(largest, place.header.max_timestamp);
    }
    return true;
  }));
  return largest;
}

Result<std::optional<TimestampOffset>> PartitionLog::find_max_timestamp(Offset below) {
  below = std::min(below, end_offset_);
  Timestamp largest = no_timestamp;
  for (std::size_t number = 0; number < segments_.size(); ++number) {
    if (segments_[number]->facts.base_offset >= below) break;
    const SegmentFacts& facts = segments_[number]->facts;
    if (facts.max_timestamp <= largest || facts.max_timestamp_batch < 0) continue;
    TRY_ASSIGN(const Timestamp of_segment, max_timestamp_of(number, below));
    largest = std::max(largest, of_segment);
  }
  if (largest == no_timestamp) return std::optional<TimestampOffset>();
  return find_by_time(largest, below);
}

}  // namespace chronik::wal
