#include "protocol/decode_oracle.h"

#include "protocol/header.h"

namespace chronik::protocol {

Bytes encoded(const AnyMessage& message, std::int16_t version) {
  Writer writer;
  message.encode(writer, version);
  const ByteChain chain = writer.take_chain();
  Bytes bytes;
  bytes.reserve(chain.size());
  for (const ByteChain::Part& part : chain.parts()) {
    const ByteView view = std::get<SharedBytes>(part).view();
    bytes.insert(bytes.end(), view.begin(), view.end());
  }
  return bytes;
}

bool check_any_body(const MessageType& type, std::int16_t version, ByteView bytes) {
  Reader reader(SharedBytes::copy_of(bytes));
  const auto first = type.make();
  DecodeFailure failure;
  if (!first->decode(reader, version, &failure)) {
    CHECK(*failure.reason != '\0' && !reader.ok());
    return false;
  }
  const Result<> loss = first->check_encodable(version);
  CHECK_MSG(loss, loss.error().message);

  const Bytes once = encoded(*first, version);
  Reader again(SharedBytes::copy_of(once));
  const auto second = type.make();
  CHECK(second->decode(again, version) && again.finished());
  CHECK(encoded(*second, version) == once);
  // By their text: a float that is not a number equals nothing.
  CHECK(first->to_json(version, RecordsText::hex) == second->to_json(version, RecordsText::hex));
  return true;
}

bool check_any_message(ByteView bytes, std::span<const MessageType* const> types) {
  if (bytes.size() < 3) return false;
  const MessageType& type = *types[(bytes[0] | std::size_t{bytes[1]} << 8) % types.size()];
  const int versions = type.max_version - type.min_version + 1;
  const auto version = static_cast<std::int16_t>(type.min_version + bytes[2] % versions);
  return check_any_body(type, version, bytes.subspan(3));
}

bool check_any_message(ByteView bytes) { return check_any_message(bytes, message_types()); }

bool check_any_frame(ByteView bytes) {
  Reader reader(bytes);
  RequestHeader header;
  if (decode_header(reader, header) != HeaderStatus::ok) return false;

  // The header, too, is stable; what follows it is the body.
  Writer writer;
  const std::int16_t header_version =
      find_request_type(header.api_key)->flexible_in(header.api_version) ? std::int16_t{2}
                                                                         : std::int16_t{1};
  encode_header(writer, header_version, header);
  const Bytes once = writer.take_bytes();
  Reader again{ByteView(once)};
  RequestHeader second;
  CHECK(decode_header(again, second) == HeaderStatus::ok && again.finished());
  CHECK(second == header || header.client_id->size() > 32'767);

  const MessageType* type = find_request_type(header.api_key);
  if (header.api_version < type->min_version || header.api_version > type->max_version)
    return false;
  return check_any_body(*type, header.api_version, bytes.last(reader.remaining()));
}

}  // namespace chronik::protocol
