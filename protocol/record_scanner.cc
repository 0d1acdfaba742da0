#include "protocol/record_scanner.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "protocol/compression.h"

namespace chronik::protocol {
namespace {

/// How much of a compressed batch is decompressed at a time: it stays in the second level cache and
/// lets most blocks be decoded in place.
constexpr std::size_t piece_size = std::size_t{128} * 1024;
constexpr std::size_t varint_size_max = 5;
constexpr std::size_t varlong_size_max = 10;

}  // namespace

RecordScanner::RecordScanner(ByteView batch, const BatchHeader& header, RecordScratch& scratch,
                             const RecordLimits& limits)
    : count_(header.record_count), record_bytes_max_(limits.record_bytes_max), scratch_(scratch) {
  CHECK(batch.size() == header.size() && batch.size() >= batch_header_size);
  const std::optional<Codec> codec = codec_from_bits(header.codec_bits());
  CHECK(codec.has_value());
  const ByteView records = batch.subspan(batch_header_size);
  compressed_ = *codec != Codec::none;
  if (compressed_) {
    if (scratch.buffer == nullptr) {
      scratch.buffer = std::make_unique_for_overwrite<std::uint8_t[]>(piece_size);
    }
    scratch.decompressor.start(*codec, records, limits.decompression);
    at_ = end_ = scratch.buffer.get();
  } else {
    at_ = records.data();
    end_ = at_ + records.size();
  }
  if (count_ < 0) {
    fail(fmt::format("the header counts {} records", count_));
  }
}

bool RecordScanner::fail(const std::string& what) {
  if (ok()) problem_ = Error{Errc::corrupt, what};
  // next() then stays in check_end(), which stays silent.
  count_ = read_;
  return false;
}

bool RecordScanner::check_end() {
  if (!ok()) return false;
  if (compressed_ && at_ == end_ && !stream_ended_ && !refill()) return false;
  if (at_ != end_) {
    return fail(fmt::format("more bytes follow the {} records that the header counts", count_));
  }
  return false;
}

bool RecordScanner::explain_damage() {
  const std::string which = fmt::format("record {} of {}", read_ + 1, count_);
  if (at_ == end_) return fail(which + " is missing: the batch ends before it");
  std::int32_t length = 0;
  const std::uint8_t* body = record_format::read_varint(at_, end_, length);
  if (body == nullptr) return fail(which + ": its length is no varint of 32 bits, or is cut");
  if (length < 0) return fail(fmt::format("{}: its length is {}", which, length));
  if (length > end_ - body) {
    return fail(fmt::format("{}: its length is {} and {} bytes are left in the batch", which,
                            length, end_ - body));
  }
  RecordSkeleton record;
  const std::uint8_t* after = record_format::skip_body(body, body + length, record);
  if (after == nullptr) {
    return fail(
        fmt::format("{}: its parts do not fit into its length of {} bytes, or a count or "
                    "length in it is negative",
                    which, length));
  }
  return fail(
      fmt::format("{}: its length is {} and its parts take {} bytes", which, length, after - body));
}

bool RecordScanner::next_in_stream(RecordSkeleton& record) {
  std::int32_t length = 0;
  const std::uint8_t* body = record_format::read_varint(at_, end_, length);
  if (body != nullptr && length >= 0 && length <= record_bytes_max_ && length <= end_ - body)
      [[likely]] {
    const std::uint8_t* after = record_format::skip_body(body, body + length, record);
    if (after == body + length) [[likely]] {
      at_ = after;
      return true;
    }
  }
  return next_across_pieces(record);
}

bool RecordScanner::check_length(std::int32_t length) {
  if (length >= 0 && length <= record_bytes_max_) [[likely]]
    return true;
  const std::string which = fmt::format("record {} of {}", read_ + 1, count_);
  if (length < 0) return fail(fmt::format("{}: its length is {}", which, length));
  return fail(
      fmt::format("{}: its length is {}, over max.decompressed.message.bytes={} of the topic",
                  which, length, record_bytes_max_));
}

/// The same record from its beginning, taken piece by piece: it crosses the end of what has been
/// decompressed so far, or it is damaged and this says how.
bool RecordScanner::next_across_pieces(RecordSkeleton& record) {
  std::int32_t length = 0;
  if (!take_varint(length) || !check_length(length)) return false;
  const std::uint64_t body = position();
  if (!take_parts(record)) return false;
  const std::uint64_t taken = position() - body;
  if (taken != static_cast<std::uint64_t>(length)) {
    return fail(fmt::format("record {} of {}: its length is {} and its parts take {} bytes",
                            read_ + 1, count_, length, taken));
  }
  return true;
}

bool RecordScanner::take_parts(RecordSkeleton& record) {
  return take_bytes(1) && take_varlong(record.timestamp_delta) &&
         take_varint(record.offset_delta) && take_varint(record.key_length) &&
         take_bytes(record.key_length) && take_varint(record.value_length) &&
         take_bytes(record.value_length) && take_headers();
}

bool RecordScanner::take_headers() {
  std::int32_t count = 0;
  if (!take_varint(count)) return false;
  if (count < 0) {
    return fail(fmt::format("record {} of {} counts {} headers", read_ + 1, count_, count));
  }
  for (std::int32_t length = 0; count > 0; --count) {
    if (!take_varint(length)) return false;
    if (length < 0) {
      return fail(fmt::format("record {} of {} has a header whose key has the length {}", read_ + 1,
                              count_, length));
    }
    if (!take_bytes(length) || !take_varint(length) || !take_bytes(length)) return false;
  }
  return true;
}

/// Decompresses more behind what is left. False after an error; at the end of the stream it may
/// add nothing.
bool RecordScanner::refill() {
  const std::size_t kept = available();
  std::uint8_t* buffer = scratch_.buffer.get();
  dropped_ += static_cast<std::uint64_t>(at_ - buffer);
  std::memmove(buffer, at_, kept);
  const MutableByteView room{buffer + kept, piece_size - kept};
  at_ = buffer;
  end_ = buffer + kept;
  const Result<std::size_t> size = scratch_.decompressor.read(room);
  if (!size) {
    if (ok()) problem_ = size.error();
    count_ = read_;
    return false;
  }
  end_ += *size;
  stream_ended_ = *size < room.size();
  return true;
}

bool RecordScanner::take_varint(std::int32_t& value) {
  if (available() < varint_size_max && !stream_ended_ && !refill()) return false;
  const std::uint8_t* after = record_format::read_varint(at_, end_, value);
  if (after == nullptr) return fail_varint(varint_size_max, 32);
  at_ = after;
  return true;
}

bool RecordScanner::take_varlong(std::int64_t& value) {
  if (available() < varlong_size_max && !stream_ended_ && !refill()) return false;
  const std::uint8_t* after = record_format::read_varlong(at_, end_, value);
  if (after == nullptr) return fail_varint(varlong_size_max, 64);
  at_ = after;
  return true;
}

bool RecordScanner::fail_varint(std::size_t size_max, int bits) {
  if (available() < size_max) {
    return fail(fmt::format("the batch ends inside record {} of {}", read_ + 1, count_));
  }
  return fail(
      fmt::format("record {} of {} has a varint longer than {} bits", read_ + 1, count_, bits));
}

bool RecordScanner::take_bytes(std::int32_t length) {
  std::size_t left = length > 0 ? static_cast<std::size_t>(length) : 0;
  while (left > available()) {
    left -= available();
    at_ = end_;
    if (stream_ended_) {
      return fail(fmt::format("the batch ends inside record {} of {}: {} bytes are missing",
                              read_ + 1, count_, left));
    }
    if (!refill()) return false;
  }
  at_ += left;
  return true;
}

}  // namespace chronik::protocol
