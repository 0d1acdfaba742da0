// Requests and responses of Kafka's protocol over a RawConnection, for what no client library
// sends: any version of any API, and any content.
#pragma once

#include <chrono>
#include <optional>

#include "base/coding.h"
#include "integration/harness/raw_connection.h"
#include "protocol/api_keys.h"
#include "protocol/codec.h"
#include "protocol/header.h"

namespace chronik::integration {

/// The body of a frame: header and `request`, encoded in `version`.
template <class Request>
Bytes encode_request(const Request& request, std::int16_t version, std::int32_t correlation_id) {
  Writer writer;
  protocol::encode_header(writer, *protocol::request_header_version(Request::api_key, version),
                          {.api_key = Request::api_key,
                           .api_version = version,
                           .correlation_id = correlation_id,
                           .client_id = "raw",
                           .unknown_tags = {}});
  protocol::encode(writer, version, request);
  const ByteChain chain = writer.take_chain();
  Bytes bytes;
  for (const auto& part : chain.parts()) {
    const ByteView view = std::get<SharedBytes>(part).view();
    bytes.insert(bytes.end(), view.begin(), view.end());
  }
  return bytes;
}

/// The response in `frame`; nothing when it is not one to `correlation_id`, or not wholly one.
template <class Response>
std::optional<Response> decode_response(const Bytes& frame, std::int16_t api_key,
                                        std::int16_t version, std::int32_t correlation_id) {
  Reader reader{ByteView(frame)};
  protocol::ResponseHeader header;
  const std::int16_t header_version = *protocol::response_header_version(api_key, version);
  if (!protocol::decode_header(reader, header_version, header)) return std::nullopt;
  Response response;
  if (!protocol::decode(reader, version, response) || !reader.finished()) return std::nullopt;
  if (header.correlation_id != correlation_id) return std::nullopt;
  return response;
}

/// Sends `request` and waits for its answer; nothing when the broker closed the connection, said
/// something else, or was silent for `limit`.
template <class Request>
std::optional<typename Request::Response> call(
    RawConnection& connection, const Request& request, std::int16_t version = Request::max_version,
    std::chrono::milliseconds limit = std::chrono::milliseconds(10'000)) {
  constexpr std::int32_t correlation_id = 4711;
  if (!connection.send_frame(encode_request(request, version, correlation_id))) return std::nullopt;
  const std::optional<Bytes> frame = connection.receive_frame(limit);
  if (!frame) return std::nullopt;
  return decode_response<typename Request::Response>(*frame, Request::api_key, version,
                                                     correlation_id);
}

}  // namespace chronik::integration
