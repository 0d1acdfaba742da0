#include <fmt/core.h>

#include "base/check.h"
#include "broker/api/handler.h"
#include "protocol/api_keys.h"

namespace chronik::broker::detail {

Reply malformed(const RequestContext& context, const Reader& reader,
                const protocol::DecodeFailure& failure) {
  Reply reply;
  reply.kind = Reply::Kind::malformed;
  const protocol::RequestHeader& header = context.header();
  if (reader.ok()) {
    reply.reason = fmt::format("{} bytes behind the body of {} version {}", reader.remaining(),
                               protocol::api_name(header.api_key), header.api_version);
  } else {
    reply.reason = fmt::format("the body of {} version {} does not decode at '{}': {}",
                               protocol::api_name(header.api_key), header.api_version,
                               failure.field, failure.reason);
  }
  return reply;
}

Reply respond(const RequestContext& context, bool flexible_header, Writer& writer) {
  Reply reply;
  reply.kind = Reply::Kind::response;
  const std::uint64_t header_bytes = flexible_header ? 5 : 4;
  const std::uint64_t size = header_bytes + writer.size();
  CHECK_MSG(size <= INT32_MAX, fmt::format("a response of {} bytes", size));
  store_be(reply.header, static_cast<std::int32_t>(size));
  store_be(reply.header + 4, context.header().correlation_id);
  reply.header[8] = 0;
  reply.header_size = static_cast<std::uint8_t>(4 + header_bytes);
  if (writer.spliced()) {
    reply.chain = writer.take_chain();
  } else {
    reply.bytes = writer.take_bytes();
  }
  return reply;
}

Reply without_response(RequestContext& context) {
  Reply reply;
  if (context.outcome() == RequestContext::Outcome::close) {
    reply.kind = Reply::Kind::close;
    reply.reason = context.take_close_reason();
  } else {
    reply.kind = Reply::Kind::nothing;
  }
  return reply;
}

}  // namespace chronik::broker::detail
