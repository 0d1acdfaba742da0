#include "wal/segment.h"

#include "base/check.h"

namespace chronik::wal {

void Segment::add(const protocol::BatchHeader& header, ByteView prefix, EntryIndex index,
                  std::uint32_t index_interval) {
  const std::uint64_t position = facts.size_bytes;
  CHECK(position + header.size() <= segment_bytes_limit);
  if (position != 0 && position - last_indexed_position >= index_interval) {
    index_tail.push_back({static_cast<std::uint32_t>(header.base_offset - facts.base_offset),
                          static_cast<std::uint32_t>(index - facts.base_index),
                          static_cast<std::uint32_t>(position), facts.chain, facts.max_timestamp});
    ++facts.index_entries;
    last_indexed_position = position;
  }
  facts.chain = extend_chain(facts.chain, prefix);
  facts.size_bytes += header.size();
  if (takes_no_offset(header)) {
    facts.skips.push_back(
        {static_cast<std::uint32_t>(position), static_cast<std::uint32_t>(header.size())});
    return;
  }
  if (!is_empty_batch(header) && header.max_timestamp > facts.max_timestamp) {
    if (facts.first_timestamp == no_timestamp) facts.first_timestamp = header.max_timestamp;
    facts.max_timestamp = header.max_timestamp;
    facts.max_timestamp_batch = header.base_offset;
  }
}

std::unique_ptr<Segment> written_segment(SegmentFacts facts) {
  auto segment = std::make_unique<Segment>(std::move(facts));
  segment->written_bytes = segment->facts.size_bytes;
  segment->file_made = true;
  segment->index_file_entries = segment->facts.index_entries;
  segment->last_indexed_position = segment->facts.size_bytes;
  return segment;
}

}  // namespace chronik::wal
