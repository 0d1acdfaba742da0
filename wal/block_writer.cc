#include "wal/block_writer.h"

#include <algorithm>

#include "base/check.h"

namespace chronik::wal {

BlockWriter::BlockWriter(File& file, std::uint64_t position, std::uint64_t bytes)
    : file_(file),
      position_(position),
      bytes_(bytes),
      chunk_bytes_(std::min<std::uint64_t>(bytes, chunk_bytes_max)),
      memory_(static_cast<std::uint8_t*>(
          std::aligned_alloc(File::block_bytes, chunk_bytes_ + File::block_bytes))) {
  CHECK(bytes >= File::block_bytes && (position | bytes) % File::block_bytes == 0);
  CHECK(memory_ != nullptr);
}

Result<void> BlockWriter::add(ByteView part) {
  CHECK(written_ + filled_ + part.size() <= bytes_);
  while (!part.empty()) {
    if (filled_ == chunk_bytes_) TRY(write_chunk());
    const std::size_t size = std::min(part.size(), chunk_bytes_ - filled_);
    std::copy_n(part.begin(), size, memory_.get() + filled_);
    filled_ += size;
    part = part.subspan(size);
  }
  return {};
}

Result<void> BlockWriter::write_chunk() {
  ByteView chunk(memory_.get(), filled_);
  std::uint64_t at = written_;
  if (written_ == 0) {
    std::copy_n(memory_.get(), File::block_bytes, memory_.get() + chunk_bytes_);
    chunk = chunk.subspan(File::block_bytes);
    at = File::block_bytes;
  }
  written_ += std::exchange(filled_, 0);
  return chunk.empty() ? Result<void>() : file_.write_blocks(position_ + at, chunk);
}

Result<void> BlockWriter::finish(std::size_t late_at, ByteView late) {
  CHECK(late_at + late.size() <= File::block_bytes);
  while (written_ + filled_ < bytes_) {
    if (filled_ == chunk_bytes_) TRY(write_chunk());
    const std::size_t end = std::min<std::uint64_t>(chunk_bytes_, bytes_ - written_);
    std::fill(memory_.get() + filled_, memory_.get() + end, std::uint8_t{0});
    filled_ = end;
  }
  const bool at_once = written_ == 0;
  std::uint8_t* const first = memory_.get() + (at_once ? 0 : chunk_bytes_);
  std::copy_n(late.begin(), late.size(), first + late_at);
  if (!at_once) TRY(write_chunk());
  return file_.write_blocks(position_, ByteView(first, at_once ? bytes_ : File::block_bytes));
}

}  // namespace chronik::wal
