#include "protocol/header.h"

#include "protocol/api_keys.h"
#include "protocol/decoder.h"
#include "protocol/utf8.h"

namespace chronik::protocol {

namespace {

bool decode_tags(Reader& reader, UnknownTags& tags) {
  std::uint32_t count = reader.uvarint();
  if (count > tagged_fields_max) reader.fail();
  std::int64_t previous = -1;
  for (; count > 0 && reader.ok(); --count) {
    const std::uint32_t tag = reader.uvarint();
    const ByteView payload = reader.bytes(reader.uvarint());
    if (tag <= previous) reader.fail();
    if (reader.ok()) tags.append(tag, payload);
    previous = tag;
  }
  return reader.ok();
}

void encode_tags(Writer& writer, const UnknownTags& tags) {
  writer.uvarint(tags.count());
  for (const UnknownTags::Tag& tag : tags.list()) {
    writer.uvarint(tag.tag);
    writer.uvarint(static_cast<std::uint32_t>(tag.payload.size()));
    writer.bytes(tag.payload);
  }
}

void decode_start(Reader& reader, RequestHeader& header) {
  header.api_key = reader.i16();
  header.api_version = reader.i16();
  header.correlation_id = reader.i32();
}

bool decode_rest(Reader& reader, std::int16_t header_version, RequestHeader& header) {
  const std::int16_t length = reader.i16();
  if (length < 0) {
    header.client_id.reset();
  } else {
    const std::string_view text = reader.text(static_cast<std::size_t>(length));
    header.client_id = is_utf8(text) ? std::string(text) : replace_invalid_utf8(text);
  }
  return header_version >= 2 ? decode_tags(reader, header.unknown_tags) : reader.ok();
}

}  // namespace

HeaderStatus decode_header(Reader& reader, RequestHeader& header) {
  decode_start(reader, header);
  if (!reader.ok()) return HeaderStatus::malformed;
  const auto version = request_header_version(header.api_key, header.api_version);
  if (!version) return HeaderStatus::unknown_api;
  return decode_rest(reader, *version, header) ? HeaderStatus::ok : HeaderStatus::malformed;
}

bool decode_header(Reader& reader, std::int16_t header_version, RequestHeader& header) {
  decode_start(reader, header);
  return decode_rest(reader, header_version, header);
}

bool decode_header(Reader& reader, std::int16_t header_version, ResponseHeader& header) {
  header.correlation_id = reader.i32();
  return header_version >= 1 ? decode_tags(reader, header.unknown_tags) : reader.ok();
}

void encode_header(Writer& writer, std::int16_t header_version, const RequestHeader& header) {
  writer.i16(header.api_key);
  writer.i16(header.api_version);
  writer.i32(header.correlation_id);
  if (header.client_id) {
    const std::string_view text = cut_utf8(*header.client_id, string_bytes_max);
    writer.i16(static_cast<std::int16_t>(text.size()));
    writer.text(text);
  } else {
    writer.i16(-1);
  }
  if (header_version >= 2) encode_tags(writer, header.unknown_tags);
}

void encode_header(Writer& writer, std::int16_t header_version, const ResponseHeader& header) {
  writer.i32(header.correlation_id);
  if (header_version >= 1) encode_tags(writer, header.unknown_tags);
}

void encode_response_header(Writer& writer, std::int16_t api_key, std::int16_t api_version,
                            std::int32_t correlation_id) {
  const auto version = response_header_version(api_key, api_version);
  CHECK(version.has_value());
  writer.i32(correlation_id);
  if (*version >= 1) writer.uvarint(0);
}

}  // namespace chronik::protocol
