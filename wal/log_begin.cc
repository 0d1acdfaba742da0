#include "wal/log_begin.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <utility>

#include "base/coding.h"
#include "wal/format.h"

namespace chronik::wal {

namespace {

constexpr std::size_t length_bytes = 4;

}  // namespace

LogBeginReader::LogBeginReader(Disk& disk, const std::string& directory, const Checkpoint& begin)
    : disk_(disk) {
  const Bytes facts = encode_checkpoint(begin);
  Writer writer;
  writer.u32(static_cast<std::uint32_t>(facts.size()));
  writer.bytes(facts);
  head_ = writer.take_bytes();
  size_ = head_.size();
  parts_.reserve(begin.segments.size());
  for (const SegmentFacts& facts_of : begin.segments) {
    parts_.push_back({directory + "/" + segment_file_name(facts_of.name(), log_suffix), size_,
                      facts_of.size_bytes, nullptr});
    size_ += facts_of.size_bytes;
  }
}

/// All at once: from here on nothing that happens to the log is seen.
Result<void> LogBeginReader::open() {
  if (opened_) return {};
  for (Part& part : parts_) {
    TRY_ASSIGN(part.file, disk_.open(part.path, OpenMode::read));
  }
  opened_ = true;
  return {};
}

Result<std::size_t> LogBeginReader::read(std::uint64_t position, MutableByteView out) {
  TRY(open());
  std::size_t done = 0;
  if (position < head_.size()) {
    done = std::min(out.size(), head_.size() - static_cast<std::size_t>(position));
    std::copy_n(head_.begin() + static_cast<std::ptrdiff_t>(position), done, out.begin());
  }
  for (const Part& part : parts_) {
    const std::uint64_t at = position + done;
    if (done == out.size() || at < part.position) break;
    if (at >= part.position + part.size) continue;
    const std::uint64_t left = part.position + part.size - at;
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(out.size() - done, left));
    TRY_ASSIGN(const std::size_t n,
               part.file->read_at(at - part.position, out.subspan(done, wanted)));
    if (n < wanted) {
      return Error{Errc::corrupt, fmt::format("{}: the file became shorter", part.path)};
    }
    done += n;
  }
  return done;
}

LogBeginReceiver::LogBeginReceiver(LogPlace place, std::uint32_t index_interval,
                                   std::uint32_t generation, bool sweeps)
    : place_(std::move(place)),
      index_interval_(index_interval),
      generation_(generation),
      sweeps_(sweeps) {}

Error LogBeginReceiver::damaged(const std::string& what) const {
  return {Errc::corrupt, fmt::format("{}: what another node sent of its log is damaged: {}",
                                     place_.directory, what)};
}

Result<void> LogBeginReceiver::begin_anew() {
  writer_.reset();
  if (sweeps_) {
    TRY_ASSIGN(const std::vector<DirectoryEntry> entries, place_.disk->list(place_.directory));
    for (const DirectoryEntry& entry : entries) {
      if (!entry.name.ends_with(received_suffix)) continue;
      TRY(place_.disk->remove(place_.directory + "/" + entry.name));
    }
  }
  pending_.clear();
  has_head_ = false;
  sent_ = begin_ = {};
  segment_ = 0;
  taken_ = 0;
  return {};
}

Result<void> LogBeginReceiver::write(std::uint64_t position, ByteView bytes) {
  if (position == 0) TRY(begin_anew());
  pending_.insert(pending_.end(), bytes.begin(), bytes.end());
  std::size_t used = 0;
  if (!has_head_) {
    TRY_ASSIGN(used, take_head());
  }
  if (has_head_) {
    TRY_ASSIGN(used, take_batches(used));
  }
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(used));
  return {};
}

/// How many bytes of `pending_` it is; 0 while there are too few.
Result<std::size_t> LogBeginReceiver::take_head() {
  if (pending_.size() < length_bytes) return std::size_t{0};
  const std::size_t size = length_bytes + load_be<std::uint32_t>(pending_.data());
  if (pending_.size() < size) return std::size_t{0};
  TRY_ASSIGN(sent_, decode_checkpoint(ByteView(pending_).subspan(length_bytes, size - length_bytes),
                                      place_.directory));
  if (sent_.identity != place_.identity) return damaged("it is of another partition");
  has_head_ = true;
  begin_ = sent_;
  begin_.segments.clear();
  if (!sent_.segments.empty()) TRY(open_segment());
  return size;
}

Offset LogBeginReceiver::end_of_segment() const {
  return segment_ + 1 < sent_.segments.size() ? sent_.segments[segment_ + 1].base_offset
                                              : sent_.end_offset;
}

Result<std::size_t> LogBeginReceiver::take_batches(std::size_t at) {
  while (segment_ < sent_.segments.size()) {
    const SegmentFacts& facts = sent_.segments[segment_];
    if (taken_ == facts.size_bytes) {
      TRY(end_segment());
      continue;
    }
    const ByteView rest = ByteView(pending_).subspan(at);
    if (rest.size() < protocol::batch_header_size) return at;
    const protocol::BatchHeader header = protocol::read_batch_header(rest);
    constexpr std::int32_t length_min =
        protocol::batch_header_size - protocol::batch_length_overhead;
    if (header.magic != 2 || header.length < length_min ||
        header.size() > facts.size_bytes - taken_) {
      return damaged(fmt::format("no batch begins at position {} of its segment {}", taken_,
                                 facts.base_offset));
    }
    if (rest.size() < header.size()) return at;
    TRY(take_batch(header, rest.first(header.size())));
    at += header.size();
  }
  return at;
}

Result<void> LogBeginReceiver::take_batch(const protocol::BatchHeader& header, ByteView batch) {
  if (header.base_offset < next_offset_ || header.last_offset_delta < -1 ||
      header.next_offset() > end_of_segment() || protocol::compute_batch_crc(batch) != header.crc) {
    return damaged(fmt::format("the batch at position {} of its segment {}", taken_,
                               sent_.segments[segment_].base_offset));
  }
  chain_ = extend_chain(chain_, batch);
  next_offset_ = header.next_offset();
  taken_ += batch.size();
  // Raft's own say nothing any more once the log begins behind them.
  return takes_no_offset(header) ? Result<void>() : writer_->append(batch, header);
}

Result<void> LogBeginReceiver::open_segment() {
  const SegmentFacts& sent = sent_.segments[segment_];
  SegmentFacts facts;
  facts.base_offset = sent.base_offset;
  facts.base_index = sent.base_index;
  facts.generation = generation_;
  taken_ = 0;
  chain_ = 0;
  next_offset_ = sent.base_offset;
  writer_ = std::make_unique<CompactedSegmentWriter>(place_, std::move(facts), index_interval_,
                                                     limits_, received_suffix);
  return writer_->open();
}

Result<void> LogBeginReceiver::end_segment() {
  const SegmentFacts& sent = sent_.segments[segment_];
  if (chain_ != sent.chain || next_offset_ != end_of_segment()) {
    return damaged(
        fmt::format("its segment {} has other batches than it should", sent.base_offset));
  }
  TRY(writer_->finish());
  SegmentFacts facts = writer_->facts();
  writer_.reset();
  if (facts.max_timestamp == no_timestamp) {
    facts.max_timestamp_batch = -1;
    facts.max_timestamp = sent.max_timestamp;
  }
  // One that had entries of Raft's own alone is the last one, and nothing.
  if (facts.size_bytes != 0) begin_.segments.push_back(std::move(facts));
  if (++segment_ < sent_.segments.size()) return open_segment();
  return {};
}

Result<void> LogBeginReceiver::finish() {
  if (!has_head_ || segment_ < sent_.segments.size() || !pending_.empty()) {
    return damaged("it ends early, or goes on behind its end");
  }
  return place_.disk->sync_directory(place_.directory);
}

}  // namespace chronik::wal
