// RecordScanner: steps over the records of a magic 2 batch without building them: timestamps,
// offset deltas and lengths only, nothing allocated per record. Compressed batches are decompressed
// in pieces, so memory is bounded however much is inside. The hot loop of produce validation, and
// what lookups by time use. RecordReader (protocol/record_reader.h) gives whole records.
//
// A record's parts must fill its length exactly, and the count in the header must be met with
// nothing left over. (Kafka's broker checks lengths only in plain batches and so lets compressed
// ones into the log that its own consumer cannot read.)
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "protocol/decompressor.h"
#include "protocol/record_batch.h"
#include "protocol/record_format.h"

namespace chronik::protocol {

/// What reading compressed batches needs and keeps from one to the next. One per shard; a scanner
/// or reader uses it alone while it lives.
struct RecordScratch {
  Decompressor decompressor;
  std::unique_ptr<std::uint8_t[]> buffer;  // made at first use
};

struct RecordLimits {
  DecompressionLimits decompression;
  /// Of one record inside a compressed batch: the topic setting max.decompressed.message.bytes.
  std::int32_t record_bytes_max = std::numeric_limits<std::int32_t>::max() - 8;
};

class RecordScanner {
 public:
  /// `batch` is a whole batch and `header` what stands at its beginning; both outlive the scanner,
  /// as does `scratch`. Preconditions: batch.size() == header.size(), codec bits of a known codec.
  RecordScanner(ByteView batch, const BatchHeader& header, RecordScratch& scratch,
                const RecordLimits& limits = {});

  /// The next record, or false: then either all were read (ok()) or there is a problem().
  bool next(RecordSkeleton& record) {
    if (read_ == count_) return check_end();
    if (!compressed_) [[likely]] {
      const std::uint8_t* after = record_format::skip_record(at_, end_, record);
      if (after == nullptr) [[unlikely]]
        return explain_damage();
      at_ = after;
    } else if (!next_in_stream(record)) {
      return false;
    }
    ++read_;
    return true;
  }

  bool ok() const { return !problem_.has_value(); }
  /// Errc::corrupt: a record or the compressed stream is damaged; Errc::too_large: a limit.
  /// Precondition: !ok().
  const Error& problem() const { return *problem_; }
  /// Records read so far; the index of the record that next() gave last is one less.
  std::int32_t read_count() const { return read_; }

 private:
  bool check_end();
  bool explain_damage();
  bool next_in_stream(RecordSkeleton& record);
  bool next_across_pieces(RecordSkeleton& record);
  bool check_length(std::int32_t length);

  bool refill();
  /// Bytes of the decompressed stream before at_.
  std::uint64_t position() const {
    return dropped_ + static_cast<std::uint64_t>(at_ - scratch_.buffer.get());
  }
  bool take_parts(RecordSkeleton& record);
  bool take_headers();
  bool take_varint(std::int32_t& value);
  bool take_varlong(std::int64_t& value);
  bool take_bytes(std::int32_t length);
  std::size_t available() const { return static_cast<std::size_t>(end_ - at_); }
  bool fail(const std::string& what);
  bool fail_varint(std::size_t size_max, int bits);

  const std::uint8_t* at_ = nullptr;  // of the batch, or of the scratch buffer when compressed
  const std::uint8_t* end_ = nullptr;
  std::int32_t read_ = 0;
  std::int32_t count_ = 0;
  bool compressed_ = false;
  bool stream_ended_ = false;
  std::uint64_t dropped_ = 0;  // bytes of the stream that have left the buffer
  std::int32_t record_bytes_max_;
  RecordScratch& scratch_;
  std::optional<Error> problem_;
};

}  // namespace chronik::protocol
