#include "wal/batch_stream.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "wal/format.h"

namespace chronik::wal {

using protocol::batch_header_size;

BatchStream::BatchStream(std::shared_ptr<File> file, std::string path, ExpectedSegment expected,
                         std::size_t buffer_bytes)
    : file_(std::move(file)),
      path_(std::move(path)),
      expected_(std::move(expected)),
      buffer_(std::max<std::size_t>(buffer_bytes, 4096)),
      next_offset_(expected_.facts.base_offset) {}

Error BatchStream::damaged(const std::string& what) const {
  const std::string directory = path_.substr(0, path_.find_last_of('/'));
  return {Errc::corrupt,
          fmt::format("{}: position {}: {}; `chronik log verify {}` shows all damage", path_,
                      position_, what, directory)};
}

/// `size` bytes from position_ on, fewer only at the end of the file.
Result<ByteView> BatchStream::view(std::size_t size) {
  if (position_ + size > buffer_position_ + buffer_filled_) {
    if (size > buffer_.size()) buffer_.resize(size);
    const std::uint64_t left = expected_.facts.size_bytes - position_;
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(buffer_.size(), left));
    TRY_ASSIGN(buffer_filled_, file_->read_at(position_, MutableByteView(buffer_).first(wanted)));
    buffer_position_ = position_;
  }
  const auto begin = static_cast<std::size_t>(position_ - buffer_position_);
  return ByteView(buffer_).subspan(begin, std::min(size, buffer_filled_ - begin));
}

Result<std::optional<BatchStream::Batch>> BatchStream::next() {
  const SegmentFacts& facts = expected_.facts;
  if (position_ == facts.size_bytes) {
    if (chain_ != facts.chain) {
      return damaged("a base offset, length or leader epoch was changed (chain checksum)");
    }
    if (next_offset_ != expected_.end_offset) {
      return damaged(fmt::format("the segment ends at offset {}, expected {}", next_offset_,
                                 expected_.end_offset));
    }
    return std::optional<Batch>();
  }
  TRY_ASSIGN(const ByteView head, view(batch_header_size));
  if (head.size() < batch_header_size) return damaged("the file became shorter");
  Batch batch;
  batch.header = protocol::read_batch_header(head);
  const protocol::BatchHeader& header = batch.header;
  constexpr std::int32_t length_min = batch_header_size - protocol::batch_length_overhead;
  if (header.magic != 2 || header.length < length_min ||
      header.size() > facts.size_bytes - position_) {
    return damaged("no batch begins here");
  }
  const bool in_order =
      facts.compacted() ? header.base_offset >= next_offset_ : header.base_offset == next_offset_;
  if (!in_order || header.last_offset_delta < -1 || header.next_offset() > expected_.end_offset ||
      header.leader_epoch < epoch_) {
    return damaged("the batch is out of order");
  }
  TRY_ASSIGN(batch.bytes, view(header.size()));
  if (batch.bytes.size() < header.size()) return damaged("the file became shorter");
  if (protocol::compute_batch_crc(batch.bytes) != header.crc) {
    return damaged("the CRC of the batch does not match its bytes");
  }
  chain_ = extend_chain(chain_, batch.bytes);
  next_offset_ = header.next_offset();
  epoch_ = header.leader_epoch;
  position_ += header.size();
  return std::optional<Batch>(batch);
}

}  // namespace chronik::wal
