#include "protocol/wire_check/legacy_records.h"

#include <fmt/format.h>
#define XXH_INLINE_ALL  // one use, nothing to link for it
#include <xxhash.h>
#include <zlib.h>

#include "base/coding.h"
#include "protocol/compression.h"
#include "protocol/decompressor.h"

namespace chronik::protocol::wire_check {
namespace {

// offset i64 | size i32 | crc i32 | magic i8 | attributes i8 | [timestamp i64, magic 1] | key |
// value
struct Message {
  Offset offset = 0;
  std::int8_t magic = 0;
  std::int8_t attributes = 0;
  Timestamp timestamp = -1;
  std::optional<Bytes> key;
  std::optional<Bytes> value;
};

std::optional<Bytes> nullable_bytes(Reader& reader) {
  const std::int32_t length = reader.i32();
  if (length < 0) return std::nullopt;
  return to_bytes(reader.bytes(static_cast<std::size_t>(length)));
}

Result<Message> read_message(Reader& set) {
  Message message;
  message.offset = set.i64();
  const std::int32_t size = set.i32();
  const ByteView body = set.bytes(static_cast<std::size_t>(size));
  if (!set.ok() || body.size() < 6) return Error{Errc::corrupt, "a message is cut"};
  Reader reader(body);
  const std::uint32_t stored = reader.u32();
  const ByteView covered = body.subspan(4);
  const auto computed =
      static_cast<std::uint32_t>(crc32(0, covered.data(), static_cast<uInt>(covered.size())));
  if (stored != computed) return Error{Errc::corrupt, "the crc of a message is wrong"};
  message.magic = reader.i8();
  message.attributes = reader.i8();
  if (message.magic == 1) message.timestamp = reader.i64();
  message.key = nullable_bytes(reader);
  message.value = nullable_bytes(reader);
  if (!reader.finished()) return Error{Errc::corrupt, "a message is damaged"};
  return message;
}

// With magic 0 the checksum in lz4's frame header was taken over too many bytes. It is put right.
void mend_lz4_header(Bytes& frame) {
  constexpr std::size_t descriptor = 4;
  constexpr std::size_t content_size_bit = 0x08;
  if (frame.size() < 7) return;
  const std::size_t size = (frame[descriptor] & content_size_bit) != 0 ? 10 : 2;
  if (frame.size() <= descriptor + size) return;
  frame[descriptor + size] =
      static_cast<std::uint8_t>(XXH32(frame.data() + descriptor, size, 0) >> 8);
}

Result<std::vector<Message>> read_inner(const Message& wrapper, Codec codec) {
  if (!wrapper.value) return Error{Errc::corrupt, "a compressed message without a value"};
  Bytes packed = *wrapper.value;
  if (codec == Codec::lz4 && wrapper.magic == 0) mend_lz4_header(packed);
  TRY_ASSIGN(const Bytes plain, decompress(codec, packed));
  std::vector<Message> inner;
  Reader reader{ByteView(plain)};
  while (reader.remaining() != 0) {
    TRY_ASSIGN(Message message, read_message(reader));
    if ((message.attributes & 0x07) != 0) {
      return Error{Errc::corrupt, "a compressed message inside a compressed message"};
    }
    inner.push_back(std::move(message));
  }
  if (inner.empty()) return Error{Errc::corrupt, "an empty compressed message"};
  return inner;
}

}  // namespace

Result<std::vector<LegacyRecord>> read_legacy_records(ByteView message_set) {
  std::vector<LegacyRecord> records;
  Reader reader(message_set);
  const auto add = [&](Message message) {
    records.push_back({.offset = message.offset,
                       .timestamp = message.timestamp,
                       .key = std::move(message.key),
                       .value = std::move(message.value)});
  };
  while (reader.remaining() != 0) {
    TRY_ASSIGN(Message message, read_message(reader));
    const auto codec = codec_from_bits(static_cast<std::uint8_t>(message.attributes & 0x07));
    if (!codec) return Error{Errc::unsupported, "unknown codec"};
    if (*codec == Codec::none) {
      add(std::move(message));
      continue;
    }
    TRY_ASSIGN(std::vector<Message> inner, read_inner(message, *codec));
    // Magic 1 counts offsets from 0 inside; the wrapper carries the last record's.
    const Offset base = message.magic == 1 ? message.offset - inner.back().offset : 0;
    constexpr std::int8_t log_append_time_bit = 0x08;
    for (Message& record : inner) {
      record.offset += base;
      if ((message.attributes & log_append_time_bit) != 0) record.timestamp = message.timestamp;
      add(std::move(record));
    }
  }
  return records;
}

}  // namespace chronik::protocol::wire_check
