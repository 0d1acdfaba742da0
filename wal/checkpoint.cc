#include "wal/checkpoint.h"

#include <spdlog/fmt/fmt.h>

#include <limits>

#include "base/coding.h"
#include "base/crc32c.h"
#include "wal/format.h"

namespace chronik::wal {

namespace {

constexpr std::string_view magic = "chrnkckp";
constexpr std::size_t crc_at = 12;
constexpr std::size_t body_at = 16;
constexpr std::uint16_t flag_derived = 1;
constexpr std::uint16_t flag_cut_under_way = 2;
constexpr std::uint16_t flag_compaction = 4;
constexpr std::uint16_t flag_journal = 8;
constexpr std::size_t version_at = 8;
constexpr std::size_t flags_at = 10;
constexpr std::size_t mark_bytes = 16;

/// Of all bytes but its own four.
std::uint32_t checksum(ByteView bytes) {
  return crc32c_extend(crc32c(bytes.first(crc_at)), bytes.subspan(body_at));
}

void write_segment(Writer& writer, const SegmentFacts& facts) {
  writer.i64(facts.base_offset);
  writer.i64(facts.base_index);
  writer.u64(facts.size_bytes);
  writer.u32(facts.chain);
  writer.u32(facts.index_entries);
  writer.i64(facts.first_timestamp);
  writer.i64(facts.max_timestamp);
  writer.i64(facts.max_timestamp_batch);
  writer.u32(static_cast<std::uint32_t>(facts.skips.size()));
  for (const SkipRange& skip : facts.skips) {
    writer.u32(skip.position);
    writer.u32(skip.size);
  }
}

SegmentFacts read_segment(Reader& reader) {
  SegmentFacts facts;
  facts.base_offset = reader.i64();
  facts.base_index = reader.i64();
  facts.size_bytes = reader.u64();
  facts.chain = reader.u32();
  facts.index_entries = reader.u32();
  facts.first_timestamp = reader.i64();
  facts.max_timestamp = reader.i64();
  facts.max_timestamp_batch = reader.i64();
  const std::uint32_t skips = reader.u32();
  for (std::uint32_t i = 0; i < skips && reader.ok(); ++i) {
    const std::uint32_t position = reader.u32();
    facts.skips.push_back({position, reader.u32()});
  }
  return facts;
}

bool has_compaction(const Checkpoint& checkpoint) {
  return checkpoint.first_dirty_offset != 0 ||
         (!checkpoint.segments.empty() && checkpoint.segments.front().compacted());
}

/// What must hold between the fields, whatever wrote them: the code behind relies on it.
const char* contradiction(const Checkpoint& checkpoint) {
  if (checkpoint.start_offset < 0 || checkpoint.start_offset > checkpoint.end_offset ||
      checkpoint.last_index < 0 || checkpoint.first_dirty_offset < 0 ||
      checkpoint.first_dirty_offset > checkpoint.end_offset) {
    return "its offsets";
  }
  const SegmentFacts* previous = nullptr;
  for (const SegmentFacts& facts : checkpoint.segments) {
    if (facts.base_offset < 0 || facts.base_offset > checkpoint.end_offset ||
        facts.base_index < 1 || facts.base_index > checkpoint.last_index + 1 ||
        facts.size_bytes > segment_bytes_limit) {
      return "a segment";
    }
    if (facts.index_entries > facts.size_bytes) return "the index of a segment";
    std::uint64_t skipped_to = 0;
    for (const SkipRange& skip : facts.skips) {
      if (skip.position < skipped_to) return "the skipped entries of a segment";
      skipped_to = std::uint64_t{skip.position} + skip.size;
    }
    if (skipped_to > facts.size_bytes) return "the skipped entries of a segment";
    if (facts.compacted() && (facts.size_bytes == 0 || !facts.skips.empty() ||
                              (previous != nullptr && !previous->compacted()))) {
      return "a compacted segment";
    }
    // Two segments may share a base offset only if no entry lies between them.
    if (previous != nullptr &&
        (facts.base_offset <= previous->base_offset || facts.base_index <= previous->base_index)) {
      return "the order of segments";
    }
    previous = &facts;
  }
  const EpochStart* before = nullptr;
  for (const EpochStart& start : checkpoint.epochs) {
    if (start.epoch < 0 || start.start_offset < 0 || start.start_offset > checkpoint.end_offset ||
        start.start_index < 1 || start.start_index > checkpoint.last_index + 1 ||
        (before != nullptr &&
         (start.epoch <= before->epoch || start.start_offset < before->start_offset ||
          start.start_index <= before->start_index))) {
      return "its leader epochs";
    }
    before = &start;
  }
  return nullptr;
}

}  // namespace

Checkpoint nothing_before(Offset offset, EntryIndex last_index, LeaderEpoch epoch) {
  Checkpoint begin;
  begin.start_offset = begin.end_offset = offset;
  begin.last_index = last_index;
  if (epoch >= 0) begin.epochs.push_back({epoch, offset, last_index});
  return begin;
}

Bytes encode_checkpoint(const Checkpoint& checkpoint) {
  Writer writer;
  writer.text(magic);
  const bool compaction = has_compaction(checkpoint);
  writer.u16(compaction ? compacted_checkpoint_version : format_version);
  writer.u16(static_cast<std::uint16_t>((checkpoint.has_derived ? flag_derived : 0) |
                                        (checkpoint.cut_under_way ? flag_cut_under_way : 0) |
                                        (compaction ? flag_compaction : 0)));
  writer.u32(0);
  writer.bytes(checkpoint.identity.topic_id.bytes);
  writer.i32(checkpoint.identity.partition);
  writer.u16(static_cast<std::uint16_t>(checkpoint.identity.topic.size()));
  writer.text(checkpoint.identity.topic);
  writer.i64(checkpoint.start_offset);
  writer.i64(checkpoint.end_offset);
  writer.i64(checkpoint.last_index);
  writer.u32(static_cast<std::uint32_t>(checkpoint.segments.size()));
  for (const SegmentFacts& facts : checkpoint.segments) write_segment(writer, facts);
  writer.u32(static_cast<std::uint32_t>(checkpoint.epochs.size()));
  for (const EpochStart& start : checkpoint.epochs) {
    writer.i32(start.epoch);
    writer.i64(start.start_offset);
    writer.i64(start.start_index);
  }
  writer.u32(static_cast<std::uint32_t>(checkpoint.derived.size()));
  writer.bytes(checkpoint.derived);
  if (compaction) {
    writer.i64(checkpoint.first_dirty_offset);
    for (const SegmentFacts& facts : checkpoint.segments) writer.u32(facts.generation);
  }
  Bytes bytes = writer.take_bytes();
  store_be(bytes.data() + crc_at, checksum(bytes));
  return checkpoint.journal ? with_journal_mark(std::move(bytes), *checkpoint.journal) : bytes;
}

Bytes with_journal_mark(Bytes encoded, const JournalMark& mark) {
  const auto flags = load_be<std::uint16_t>(encoded.data() + flags_at);
  if ((flags & flag_journal) == 0) encoded.resize(encoded.size() + mark_bytes);
  store_be(encoded.data() + version_at, journaled_checkpoint_version);
  store_be(encoded.data() + flags_at, static_cast<std::uint16_t>(flags | flag_journal));
  std::uint8_t* const at = encoded.data() + encoded.size() - mark_bytes;
  store_be(at, mark.epoch);
  store_be(at + sizeof mark.epoch, mark.lsn);
  store_be(encoded.data() + crc_at, checksum(encoded));
  return encoded;
}

Result<Checkpoint> decode_checkpoint(ByteView bytes, const std::string& file) {
  const auto damaged = [&](std::string_view what) {
    return Error{Errc::corrupt, fmt::format("{}: the checkpoint is damaged: {}", file, what)};
  };
  Reader reader(bytes);
  if (reader.text(magic.size()) != magic) return damaged("it does not begin with its magic");
  const std::uint16_t version = reader.u16();
  const std::uint16_t flags = reader.u16();
  const std::uint32_t crc = reader.u32();
  if (!reader.ok()) return damaged("it is too short");
  if (crc != checksum(bytes)) return damaged("it does not match its checksum");
  if (version > journaled_checkpoint_version) {
    return Error{Errc::unsupported,
                 fmt::format("{}: written by a newer chronik (log format {}, this one knows {}): "
                             "use that version",
                             file, version, journaled_checkpoint_version)};
  }

  Checkpoint checkpoint;
  checkpoint.has_derived = (flags & flag_derived) != 0;
  checkpoint.cut_under_way = (flags & flag_cut_under_way) != 0;
  const ByteView id = reader.bytes(checkpoint.identity.topic_id.bytes.size());
  std::copy(id.begin(), id.end(), checkpoint.identity.topic_id.bytes.begin());
  checkpoint.identity.partition = reader.i32();
  checkpoint.identity.topic = reader.text(reader.u16());
  checkpoint.start_offset = reader.i64();
  checkpoint.end_offset = reader.i64();
  checkpoint.last_index = reader.i64();
  const std::uint32_t segments = reader.u32();
  for (std::uint32_t i = 0; i < segments && reader.ok(); ++i) {
    checkpoint.segments.push_back(read_segment(reader));
  }
  const std::uint32_t epochs = reader.u32();
  for (std::uint32_t i = 0; i < epochs && reader.ok(); ++i) {
    EpochStart start;
    start.epoch = reader.i32();
    start.start_offset = reader.i64();
    start.start_index = reader.i64();
    checkpoint.epochs.push_back(start);
  }
  checkpoint.derived = to_bytes(reader.bytes(reader.u32()));
  if ((flags & flag_compaction) != 0) {
    checkpoint.first_dirty_offset = reader.i64();
    for (SegmentFacts& facts : checkpoint.segments) facts.generation = reader.u32();
  }
  if ((flags & flag_journal) != 0) {
    JournalMark& mark = checkpoint.journal.emplace();
    mark.epoch = reader.u64();
    mark.lsn = reader.u64();
  }
  if (!reader.finished()) return damaged("its length does not match its content");
  if (const char* what = contradiction(checkpoint)) {
    return damaged(fmt::format("{} contradict the rest", what));
  }
  return checkpoint;
}

}  // namespace chronik::wal
