// BatchStream: the batches of a segment file one after the other, whole, each one checked: the CRC,
// the order of offsets and epochs, and at the end the chain and the size. For those who copy a
// segment and must never copy damage. Any thread; only reads.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/file.h"
#include "base/result.h"
#include "protocol/record_batch.h"
#include "wal/segment.h"

namespace chronik::wal {

/// What the segment must be.
struct ExpectedSegment {
  SegmentFacts facts;
  Offset end_offset = 0;
};

class BatchStream {
 public:
  struct Batch {
    protocol::BatchHeader header;
    ByteView bytes;  // until the next call
  };

  BatchStream(std::shared_ptr<File> file, std::string path, ExpectedSegment expected,
              std::size_t buffer_bytes);

  /// Nothing at the end, where all was as expected. Errors: corrupt, with file, position and what
  /// helps; io.
  Result<std::optional<Batch>> next();
  /// Bytes given so far.
  std::uint64_t position() const { return position_; }
  /// Of the file, what is read is not wanted in the page cache again.
  void drop_cache() const { file_->drop_cache(0, position_); }

 private:
  Result<ByteView> view(std::size_t size);
  Error damaged(const std::string& what) const;

  std::shared_ptr<File> file_;
  std::string path_;
  const ExpectedSegment expected_;
  Bytes buffer_;
  std::uint64_t buffer_position_ = 0;  // in the file
  std::size_t buffer_filled_ = 0;
  std::uint64_t position_ = 0;
  std::uint32_t chain_ = 0;
  Offset next_offset_;
  LeaderEpoch epoch_ = no_leader_epoch;
};

}  // namespace chronik::wal
