// The part of PartitionLog that reads.
#include <algorithm>
#include <limits>

#include "base/log.h"
#include "wal/flush_work.h"
#include "wal/format.h"
#include "wal/partition_log.h"

namespace chronik::wal {

Segment* PartitionLog::segment_at(Offset base_offset) const {
  const auto found = std::lower_bound(segments_.begin(), segments_.end(), base_offset,
                                      [](const std::unique_ptr<Segment>& segment, Offset wanted) {
                                        return segment->facts.base_offset < wanted;
                                      });
  if (found == segments_.end() || (*found)->facts.base_offset != base_offset) return nullptr;
  return found->get();
}

std::size_t PartitionLog::segment_index_of(Offset offset) const {
  const auto next = std::upper_bound(segments_.begin(), segments_.end(), offset,
                                     [](Offset wanted, const std::unique_ptr<Segment>& segment) {
                                       return wanted < segment->facts.base_offset;
                                     });
  CHECK(next != segments_.begin());
  return static_cast<std::size_t>(next - segments_.begin()) - 1;
}

Offset PartitionLog::segment_end_offset(std::size_t number) const {
  return number + 1 < segments_.size() ? segments_[number + 1]->facts.base_offset : end_offset_;
}

EntryIndex PartitionLog::segment_end_index(std::size_t number) const {
  return number + 1 < segments_.size() ? segments_[number + 1]->facts.base_index : last_index_ + 1;
}

Result<void> PartitionLog::rebuild_index(Segment& segment) {
  log_warn("the index of a segment is missing or damaged: it is rebuilt",
           {{"file", path(segment, index_suffix)}});
  ++environment_.counters.indexes_rebuilt;
  // What a checkpoint under way writes is not what this log counts on any more.
  ++generation_;
  SegmentFacts empty;
  empty.base_offset = segment.facts.base_offset;
  empty.base_index = segment.facts.base_index;
  Segment again(std::move(empty));
  EntryIndex index = segment.facts.base_index;
  TRY(walk(segment, 0, [&](const EntryPlace& place) {
    again.add(place.header, place.prefix, index++, settings_->index_interval_bytes);
    return true;
  }));
  if (again.facts.chain != segment.facts.chain ||
      again.facts.size_bytes != segment.facts.size_bytes) {
    return damaged(segment, "the batches are not those that were written (chain checksum)");
  }
  segment.facts.index_entries = again.facts.index_entries;
  segment.index_file_entries = 0;
  segment.index_tail = std::move(again.index_tail);
  segment.last_indexed_position = again.last_indexed_position;
  segment.index_checked = true;
  checkpoint_wanted_ = true;
  return {};
}

Result<IndexEntry> PartitionLog::find_index(Segment& segment, const IndexPredicate& before) {
  if (segment.index_file_entries != 0 &&
      (segment.index_tail.empty() || !before(segment.index_tail.front()))) {
    const auto search = [&]() -> Result<std::optional<FoundIndexEntry>> {
      TRY_ASSIGN(const auto file,
                 environment_.files.get(environment_.disk, segment.index_file,
                                        path(segment, index_suffix), OpenMode::read));
      if (!segment.index_checked) {
        std::array<std::uint8_t, index_header_bytes> header;
        TRY_ASSIGN(const std::size_t n, file->read_at(0, header));
        TRY_ASSIGN(const IndexOwner owner, decode_index_header(ByteView(header).first(n)));
        if (owner != index_owner(segment)) {
          return Error{Errc::corrupt, "index: of another segment"};
        }
        segment.index_checked = true;
      }
      return find_last_entry(*file, segment.index_file_entries, before);
    };
    Result<std::optional<FoundIndexEntry>> found = search();
    if (found) return found->has_value() ? (*found)->entry : segment_beginning;
    const Errc code = found.error().code;
    if (code != Errc::corrupt && code != Errc::not_found) return std::move(found).error();
    TRY(rebuild_index(segment));
  }
  const auto& tail = segment.index_tail;
  const auto end = std::partition_point(tail.begin(), tail.end(), before);
  return end == tail.begin() ? segment_beginning : *std::prev(end);
}

template <class Visit>
void PartitionLog::for_tail(Visit visit) const {
  for (std::size_t i = 0; i < in_flight_visible_; ++i) {
    if (!visit(in_flight_->entries[i])) return;
  }
  if (tail_ == nullptr) return;
  for (const TailEntry& entry : tail_->entries) {
    if (!visit(entry)) return;
  }
}

Result<void> PartitionLog::walk(Segment& segment, std::uint64_t position, const VisitEntry& visit) {
  if (position < segment.written_bytes) {
    TRY_ASSIGN(const auto file, log_file(segment));
    HeaderWalk headers(*file, position, segment.written_bytes);
    for (;;) {
      Result<std::optional<EntryPlace>> place = headers.next();
      if (!place && place.error().code == Errc::corrupt) {
        return damaged(segment, place.error().message);
      }
      if (!place) return std::move(place).error();
      if (!place->has_value()) break;
      if (!visit(**place)) return {};
    }
  }
  for_tail([&](const TailEntry& entry) {
    if (entry.segment_base != segment.facts.base_offset || entry.position < position) return true;
    EntryPlace place;
    place.header = protocol::read_batch_header(entry.bytes.view());
    place.position = entry.position;
    std::copy_n(entry.bytes.data(), chain_prefix_bytes, place.prefix.begin());
    return visit(place);
  });
  return {};
}

Result<SharedBytes> PartitionLog::entry_bytes(Segment& segment, const EntryPlace& place) {
  SharedBytes bytes;
  if (place.position >= segment.written_bytes) {
    for_tail([&](const TailEntry& entry) {
      if (entry.segment_base != segment.facts.base_offset || entry.position != place.position) {
        return true;
      }
      bytes = entry.bytes;
      return false;
    });
    CHECK(!bytes.empty());
    return bytes;
  }
  TRY_ASSIGN(const auto file, log_file(segment));
  bytes = SharedBytes::allocate(place.header.size());
  TRY_ASSIGN(const std::size_t n, file->read_at(place.position, bytes.mutable_view()));
  if (n != bytes.size()) return damaged(segment, "the file became shorter");
  return bytes;
}

/// Where the batch that holds `offset`, or the first one behind it, begins. Precondition: it is in
/// the segment's file.
Result<Boundary> PartitionLog::locate(Segment& segment, Offset offset) {
  const Offset base = segment.facts.base_offset;
  if (offset == base) return Boundary{0, base};
  for (const ReadHint& hint : hints_) {
    if (hint.segment_base == base && hint.at.offset == offset) return hint.at;
  }
  TRY_ASSIGN(const IndexEntry near, find_index(segment, [&](const IndexEntry& entry) {
               return base + entry.offset_delta <= offset;
             }));
  std::optional<Boundary> found;
  TRY(walk(segment, near.position, [&](const EntryPlace& place) {
    if (takes_no_offset(place.header) || place.header.next_offset() <= offset) return true;
    found = Boundary{place.position, place.header.base_offset};
    return false;
  }));
  // Where compaction left a gap the next batch is meant.
  if (!found || (found->offset > offset && !segment.facts.compacted())) {
    return damaged(segment, fmt::format("offset {} is not where the index has it", offset));
  }
  return *found;
}

/// The end of the last batch that ends at or below `below`. Precondition: `below` is in the
/// segment.
Result<Boundary> PartitionLog::locate_end(Segment& segment, Offset below) {
  const Offset base = segment.facts.base_offset;
  TRY_ASSIGN(const IndexEntry near, find_index(segment, [&](const IndexEntry& entry) {
               return base + entry.offset_delta <= below;
             }));
  Boundary end{near.position, base + near.offset_delta};
  TRY(walk(segment, near.position, [&](const EntryPlace& place) {
    if (place.header.next_offset() > below || place.end() > segment.written_bytes) return false;
    end = {place.end(), place.header.next_offset()};
    return true;
  }));
  return end;
}

/// The last boundary at or below `position_max`; behind the first batch when at_least_one and it is
/// larger. Nothing behind `position_end` is taken.
Result<Boundary> PartitionLog::fill(Segment& segment, Boundary begin, std::uint64_t position_max,
                                    std::uint64_t position_end, bool at_least_one) {
  const Offset base = segment.facts.base_offset;
  TRY_ASSIGN(const IndexEntry near, find_index(segment, [&](const IndexEntry& entry) {
               return entry.position <= position_max;
             }));
  Boundary end = begin;
  bool has_batch = false;
  if (near.position > begin.position) {
    end = {near.position, base + near.offset_delta};
    has_batch = end.offset > begin.offset;
  }
  TRY(walk(segment, end.position, [&](const EntryPlace& place) {
    if (place.end() > position_end) return false;
    if (place.end() > position_max && (has_batch || !at_least_one)) return false;
    end = {place.end(), place.header.next_offset()};
    has_batch = has_batch || !takes_no_offset(place.header);
    return true;
  }));
  if (!has_batch) return begin;
  return end;
}

Result<void> PartitionLog::append_file_ranges(Segment& segment, std::uint64_t begin,
                                              std::uint64_t end, ByteChain& chain) {
  TRY_ASSIGN(const auto file, log_file(segment));
  for (const SkipRange& skip : segment.facts.skips) {
    if (std::uint64_t{skip.position} + skip.size <= begin) continue;
    if (skip.position >= end) break;
    chain.append(FileRange{file, begin, skip.position - begin});
    begin = std::uint64_t{skip.position} + skip.size;
  }
  if (begin < end) chain.append(FileRange{file, begin, end - begin});
  return {};
}

void PartitionLog::remember(const Segment& segment, Boundary at) {
  const ReadHint hint{segment.facts.base_offset, at};
  // The consumer that just read moves its own hint on; another one's stays.
  hints_[1] = hints_[0];
  hints_[0] = hint;
}

void PartitionLog::read_tail(Offset from, std::uint64_t max_bytes, Offset below, bool at_least_one,
                             LogSlice& slice) const {
  for_tail([&](const TailEntry& entry) {
    if (entry.next_offset <= from || entry.next_offset == entry.base_offset) return true;
    if (entry.next_offset > below) return false;
    const bool first = slice.bytes.empty();
    const bool fits = slice.bytes.size() + entry.bytes.size() <= max_bytes;
    if (!fits && !(first && at_least_one)) return false;
    if (first) slice.first = entry.base_offset;
    slice.bytes.append(entry.bytes);
    slice.next = entry.next_offset;
    return true;
  });
}

Result<LogSlice> PartitionLog::read(Offset from, std::uint64_t max_bytes, Offset below,
                                    bool at_least_one) {
  if (from < start_offset_ || from > end_offset_) {
    return Error{Errc::out_of_range,
                 fmt::format("offset {} is outside of the log, which has {} to {}", from,
                             start_offset_, end_offset_)};
  }
  LogSlice slice{{}, from, from};
  below = std::min(below, end_offset_);
  if (from >= below) return slice;
  if (from >= durable_end_offset_) {
    read_tail(from, max_bytes, below, at_least_one, slice);
    return slice;
  }
  const std::size_t number = segment_index_of(from);
  Segment& segment = *segments_[number];
  TRY_ASSIGN(const Boundary begin, locate(segment, from));
  // An entry of Raft's own at the segment's end takes no offset: the end is the written bytes'.
  Boundary end{segment.written_bytes, std::min(segment_end_offset(number), durable_end_offset_)};
  if (below < end.offset) {
    TRY_ASSIGN(end, locate_end(segment, below));
  }
  if (end.position <= begin.position) return slice;
  if (end.position - begin.position > max_bytes) {
    TRY_ASSIGN(end, fill(segment, begin, begin.position + max_bytes, end.position, at_least_one));
  }
  if (end.position <= begin.position) return slice;
  TRY(append_file_ranges(segment, begin.position, end.position, slice.bytes));
  slice.first = begin.offset;
  slice.next = end.offset;
  remember(segment, end);
  return slice;
}

Result<EntrySlice> PartitionLog::read_entries(EntryIndex from, std::uint64_t max_bytes) {
  if (from < start_index() || from > last_index_ + 1) {
    return Error{Errc::out_of_range,
                 fmt::format("entry {} is outside of the log, which has {} to {}", from,
                             start_index(), last_index_)};
  }
  EntrySlice slice{{}, from};
  if (from > last_index_) return slice;
  const auto next_segment =
      std::upper_bound(segments_.begin(), segments_.end(), from,
                       [](EntryIndex wanted, const std::unique_ptr<Segment>& segment) {
                         return wanted < segment->facts.base_index;
                       });
  Segment& segment = **std::prev(next_segment);
  const EntryIndex base = segment.facts.base_index;
  TRY_ASSIGN(const IndexEntry near, find_index(segment, [&](const IndexEntry& entry) {
               return base + entry.index_delta <= from;
             }));
  EntryIndex index = base + near.index_delta;
  Offset offset = segment.facts.base_offset + near.offset_delta;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::vector<SharedBytes> memory;
  std::uint64_t size = 0;
  std::optional<EntryIndex> wrong;
  TRY(walk(segment, near.position, [&](const EntryPlace& place) {
    // No checksum of the batch covers these two, and other replicas would take them over.
    const bool in_place = place.header.base_offset == offset &&
                          place.header.leader_epoch == epoch_at(index).value_or(no_leader_epoch);
    if (!in_place) {
      wrong = index;
      return false;
    }
    offset = place.header.next_offset();
    if (index++ < from) return true;
    if (size != 0 && size + place.header.size() > max_bytes) return false;
    if (place.position < segment.written_bytes) {
      if (size == 0) begin = place.position;
      end = place.end();
    } else {
      memory.push_back(entry_bytes(segment, place).value());
    }
    size += place.header.size();
    slice.next = index;
    return true;
  }));
  if (wrong) {
    return damaged(segment, fmt::format("the offset or epoch of entry {} is not its own", *wrong));
  }
  if (end > begin) {
    TRY_ASSIGN(auto file, log_file(segment));
    slice.bytes.append(FileRange{std::move(file), begin, end - begin});
  }
  for (SharedBytes& bytes : memory) slice.bytes.append(std::move(bytes));
  return slice;
}

}  // namespace chronik::wal
