// How a handler becomes an entry of the table. A handler is a named function
//
//   Task<protocol::HeartbeatResponse> heartbeat(RequestContext& context,
//                                               protocol::HeartbeatRequest request);
//
// in a file named as its schema. api_entry<heartbeat>({...}) wraps it: decode, call, encode. The
// handler sees only requests that decoded wholly and whose version is in the served range. It runs
// on the connection's shard; requests of one connection run one at a time, in order, but for
// handlers marked `pipelined`: those start in order (up to their first suspension) and may be under
// way together; responses leave in the order of the requests in any case.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/coding.h"
#include "broker/api/context.h"
#include "broker/runtime/task.h"
#include "protocol/codec.h"

namespace chronik::broker {

/// What becomes of a request.
struct Reply {
  enum class Kind : std::uint8_t {
    response,   // `header` then `body` leave in their turn
    nothing,    // no response
    close,      // the connection is closed in its turn, by the handler's wish
    malformed,  // the body did not decode: closed in its turn
  };

  Kind kind = Kind::nothing;
  // Length, correlation id, and the empty tag section of flexible headers.
  std::uint8_t header[9] = {};
  std::uint8_t header_size = 0;
  Bytes bytes;         // the body, when it lies in one piece
  ByteChain chain;     // the body, when it carries records; `bytes` is empty then
  std::string reason;  // of close and malformed
};

using Dispatch = Task<Reply> (*)(RequestContext& context, SharedBytes body);

struct ApiEntry {
  std::int16_t key = -1;
  std::string_view name;
  std::int16_t min_version = 0;  // served
  std::int16_t max_version = -1;
  std::int16_t advertised_min_version = 0;  // <= min_version; Produce shows 0 to old librdkafka
  std::int16_t first_flexible = 0;
  bool pipelined = false;
  bool any_version = false;  // dispatch sees unserved versions too (ApiVersions answers them)
  Dispatch dispatch = nullptr;

  bool serves(std::int16_t version) const {
    return min_version <= version && version <= max_version;
  }
};

/// The served versions of a handler; the defaults are all that the schema has.
struct ApiRange {
  std::int16_t min = -1;
  std::int16_t max = -1;
  std::int16_t advertised_min = -1;
  bool pipelined = false;
};

namespace detail {

template <class F>
struct HandlerTypes;
template <class Rep, class Req>
struct HandlerTypes<Task<Rep> (*)(RequestContext&, Req)> {
  using Request = Req;
  using Response = Rep;
};

Reply malformed(const RequestContext& context, const Reader& reader,
                const protocol::DecodeFailure& failure);
/// Fills header and takes the body out of `writer`.
Reply respond(const RequestContext& context, bool flexible_header, Writer& writer);
/// The reply of a handler that ended without a response.
Reply without_response(RequestContext& context);

/// librdkafka's flexible requests end in up to three bytes too many: a second empty tag section, or
/// the rest of an array count that was written in four bytes. Which ones, and why they are
/// overlooked for every API: "Choices" in ARCHITECTURE.md.
constexpr std::size_t overlooked_bytes_max = 3;

template <auto handler>
Task<Reply> dispatch(RequestContext& context, SharedBytes body) {
  using Request = typename HandlerTypes<decltype(handler)>::Request;
  using Response = typename HandlerTypes<decltype(handler)>::Response;
  static_assert(std::is_same_v<typename Request::Response, Response>);

  Request request;
  {
    // The frame is released here unless the request holds slices of it (records).
    Reader reader(std::move(body));
    protocol::DecodeFailure failure;
    const bool flexible = context.version() >= Request::first_flexible;
    if (!protocol::decode(reader, context.version(), request, &failure) ||
        reader.remaining() > (flexible ? overlooked_bytes_max : 0)) {
      co_return malformed(context, reader, failure);
    }
  }
  Task<Response> task = handler(context, std::move(request));
  Response response = co_await std::move(task);
  if (context.outcome() != RequestContext::Outcome::response) co_return without_response(context);
  Writer writer;
  protocol::encode(writer, context.version(), response);
  // ApiVersions keeps the old header for ever, so that any client can read its answer (KIP-511).
  const bool flexible = Response::api_key != 18 && context.version() >= Response::first_flexible;
  co_return respond(context, flexible, writer);
}

constexpr std::string_view api_name(std::string_view request_name) {
  return request_name.substr(0, request_name.size() - std::string_view("Request").size());
}

}  // namespace detail

template <auto handler>
constexpr ApiEntry api_entry(ApiRange range = {}) {
  using Request = typename detail::HandlerTypes<decltype(handler)>::Request;
  ApiEntry entry;
  entry.key = Request::api_key;
  entry.name = detail::api_name(Request::message_name);
  entry.min_version = range.min >= 0 ? range.min : Request::min_version;
  entry.max_version = range.max >= 0 ? range.max : Request::max_version;
  entry.advertised_min_version =
      range.advertised_min >= 0 ? range.advertised_min : entry.min_version;
  entry.first_flexible = Request::first_flexible;
  entry.pipelined = range.pipelined;
  entry.dispatch = &detail::dispatch<handler>;
  return entry;
}

}  // namespace chronik::broker
