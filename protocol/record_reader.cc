#include "protocol/record_reader.h"

#include <fmt/format.h>

#include <limits>

#include "base/check.h"
#include "protocol/compression.h"

namespace chronik::protocol {
namespace {

using record_format::read_varint;
using record_format::read_varlong;

// A header that read_body has seen whole.
RecordHeader next_header(const std::uint8_t*& at, const std::uint8_t* end) {
  RecordHeader header;
  std::int32_t length = 0;
  at = read_varint(at, end, length);
  header.key = {reinterpret_cast<const char*>(at), static_cast<std::size_t>(length)};
  at = read_varint(at + length, end, length);
  if (length >= 0) {
    header.value = ByteView{at, static_cast<std::size_t>(length)};
    at += length;
  }
  return header;
}

Sequence sequence_at(Sequence base, std::int32_t delta) {
  if (base < 0) return no_sequence;
  constexpr std::int64_t wrap = std::int64_t{std::numeric_limits<Sequence>::max()} + 1;
  const std::int64_t sum = std::int64_t{base} + delta;
  return static_cast<Sequence>(sum >= wrap ? sum - wrap : sum);
}

// Timestamps of records wrap as Java's longs do.
Timestamp timestamp_at(Timestamp base, std::int64_t delta) {
  return static_cast<Timestamp>(static_cast<std::uint64_t>(base) +
                                static_cast<std::uint64_t>(delta));
}

Result<BatchHeader> check_frame(ByteView bytes) {
  if (bytes.size() < batch_header_size) {
    return Error{Errc::corrupt, fmt::format("a batch needs {} bytes and there are {}",
                                            batch_header_size, bytes.size())};
  }
  const BatchHeader header = read_batch_header(bytes);
  if (header.magic != 2) {
    return Error{Errc::corrupt, fmt::format("magic {} where 2 is expected", header.magic)};
  }
  if (header.length < static_cast<std::int32_t>(batch_header_size - batch_length_overhead) ||
      header.size() > bytes.size()) {
    return Error{Errc::corrupt, fmt::format("the batch's length field is {} and there are {} bytes",
                                            header.length, bytes.size())};
  }
  return header;
}

}  // namespace

std::vector<RecordHeader> Record::headers() const {
  std::vector<RecordHeader> into;
  headers(into);
  return into;
}

void Record::headers(std::vector<RecordHeader>& into) const {
  into.clear();
  const std::uint8_t* at = header_bytes.data();
  const std::uint8_t* end = at + header_bytes.size();
  for (std::int32_t i = 0; i < header_count; ++i) into.push_back(next_header(at, end));
}

Result<RecordReader> RecordReader::open(ByteView batch, RecordScratch& scratch,
                                        const RecordLimits& limits) {
  RecordReader reader;
  TRY_ASSIGN(reader.header_, check_frame(batch));
  const std::optional<Codec> codec = codec_from_bits(reader.header_.codec_bits());
  if (!codec) {
    return Error{Errc::unsupported, fmt::format("unknown codec {} in the batch's attributes",
                                                reader.header_.codec_bits())};
  }
  ByteView records = batch.first(reader.header_.size()).subspan(batch_header_size);
  reader.record_bytes_max_ = std::numeric_limits<std::int32_t>::max();
  if (*codec != Codec::none) {
    scratch.decompressor.start(*codec, records, limits.decompression);
    TRY(scratch.decompressor.read_all(reader.decompressed_));
    records = reader.decompressed_;
    reader.record_bytes_max_ = limits.record_bytes_max;
  }
  reader.at_ = records.data();
  reader.end_ = records.data() + records.size();
  return reader;
}

bool RecordReader::fail(std::string_view what) {
  problem_ = fmt::format("record {} of {}: {}", read_ + 1, header_.record_count, what);
  done_ = true;
  return false;
}

bool RecordReader::next(Record& record) {
  if (done_) return false;
  if (read_ >= header_.record_count) {
    done_ = true;
    if (header_.record_count < 0) {
      problem_ = fmt::format("the header counts {} records", header_.record_count);
    } else if (at_ != end_) {
      problem_ = fmt::format("more bytes follow the {} records that the header counts",
                             header_.record_count);
    }
    return false;
  }
  std::int32_t length = 0;
  const std::uint8_t* body = read_varint(at_, end_, length);
  if (body == nullptr) return fail(at_ == end_ ? "it is missing" : "its length is damaged or cut");
  if (length < 0 || length > end_ - body) {
    return fail(fmt::format("its length is {} and {} bytes are left", length, end_ - body));
  }
  if (length > record_bytes_max_) {
    return fail(fmt::format("its length is {}, over max.decompressed.message.bytes={} of the topic",
                            length, record_bytes_max_));
  }
  if (!read_body(body, body + length, record)) return fail("its parts do not fill its length");
  at_ = body + length;
  ++read_;
  return true;
}

bool RecordReader::read_body(const std::uint8_t* at, const std::uint8_t* end, Record& record) {
  RecordSkeleton skeleton;
  const std::uint8_t* const body = at;
  if (record_format::skip_body(body, end, skeleton) != end) return false;
  record.offset = header_.base_offset + skeleton.offset_delta;
  record.create_timestamp = timestamp_at(header_.base_timestamp, skeleton.timestamp_delta);
  record.timestamp = header_.timestamp_type() == TimestampType::log_append_time
                         ? header_.max_timestamp
                         : record.create_timestamp;
  record.sequence = sequence_at(header_.base_sequence, skeleton.offset_delta);

  // The second time over the same bytes cannot fail.
  std::int64_t ignored_long = 0;
  std::int32_t ignored = 0;
  at = read_varlong(body + 1, end, ignored_long);
  at = read_varint(at, end, ignored);
  const auto take = [&](std::int32_t length) -> std::optional<ByteView> {
    if (length < 0) return std::nullopt;
    const ByteView view{at, static_cast<std::size_t>(length)};
    at += length;
    return view;
  };
  at = read_varint(at, end, ignored);
  record.key = take(skeleton.key_length);
  at = read_varint(at, end, ignored);
  record.value = take(skeleton.value_length);
  at = read_varint(at, end, record.header_count);
  record.header_bytes = {at, static_cast<std::size_t>(end - at)};
  return true;
}

Result<BatchHeader> check_batch(ByteView bytes) {
  TRY_ASSIGN(const BatchHeader header, check_frame(bytes));
  const std::uint32_t computed = compute_batch_crc(bytes.first(header.size()));
  if (computed != header.crc) {
    return Error{Errc::corrupt,
                 fmt::format("the batch's crc is {:#010x} and its bytes give {:#010x}", header.crc,
                             computed)};
  }
  return header;
}

Result<std::optional<RecordPosition>> find_by_timestamp(ByteView batch, Timestamp target,
                                                        Offset from, RecordScratch& scratch) {
  TRY_ASSIGN(const BatchHeader header, check_frame(batch));
  if (!codec_from_bits(header.codec_bits())) {
    return Error{Errc::unsupported,
                 fmt::format("unknown codec {} in the batch's attributes", header.codec_bits())};
  }
  const bool one_timestamp = header.timestamp_type() == TimestampType::log_append_time;
  if (one_timestamp && header.max_timestamp < target) return std::optional<RecordPosition>{};
  RecordScanner scanner(batch.first(header.size()), header, scratch);
  RecordSkeleton record;
  while (scanner.next(record)) {
    const RecordPosition position{
        .offset = header.base_offset + record.offset_delta,
        .timestamp = one_timestamp ? header.max_timestamp
                                   : timestamp_at(header.base_timestamp, record.timestamp_delta)};
    if (position.offset >= from && position.timestamp >= target) return std::optional{position};
  }
  if (!scanner.ok()) return scanner.problem();
  return std::optional<RecordPosition>{};
}

}  // namespace chronik::protocol
