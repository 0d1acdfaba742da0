// BrokerClient: one connection to a broker, for commands that ask it something: blocking, with a
// limit for every wait. Used and owned by one command on the main thread.
#pragma once

#include <chrono>
#include <string>
#include <utility>

#include "base/bytes.h"
#include "base/coding.h"
#include "base/result.h"
#include "protocol/api_keys.h"
#include "protocol/codec.h"
#include "protocol/header.h"

namespace chronik::broker::cli {

class BrokerClient {
 public:
  /// `address` is host:port or [v6]:port. Errors, with the address and what to do:
  /// invalid_argument (no address), not_found (no such host), io (nobody listens there), timeout.
  static Result<BrokerClient> connect(const std::string& address, std::chrono::milliseconds limit);
  BrokerClient(BrokerClient&& other) noexcept
      : address_(std::move(other.address_)), descriptor_(std::exchange(other.descriptor_, -1)) {}
  BrokerClient(const BrokerClient&) = delete;
  BrokerClient& operator=(const BrokerClient&) = delete;
  BrokerClient& operator=(BrokerClient&&) = delete;
  ~BrokerClient();

  /// Errors: io (the connection ended), timeout, unsupported (what came is not such an answer).
  template <class Request>
  Result<typename Request::Response> call(const Request& request,
                                          std::int16_t version = Request::max_version) {
    Writer writer;
    protocol::encode_header(writer, *protocol::request_header_version(Request::api_key, version),
                            {.api_key = Request::api_key,
                             .api_version = version,
                             .correlation_id = ++correlation_,
                             .client_id = "chronik",
                             .unknown_tags = {}});
    protocol::encode(writer, version, request);
    TRY_ASSIGN(const Bytes frame, exchange(writer.take_bytes()));
    Reader reader{ByteView(frame)};
    protocol::ResponseHeader header;
    typename Request::Response response;
    const auto header_version = protocol::response_header_version(Request::api_key, version);
    if (!protocol::decode_header(reader, *header_version, header) ||
        header.correlation_id != correlation_ || !protocol::decode(reader, version, response)) {
      return strange_answer();
    }
    return response;
  }

 private:
  BrokerClient(std::string address, int descriptor)
      : address_(std::move(address)), descriptor_(descriptor) {}

  /// Sends the bytes as a frame and waits for one.
  Result<Bytes> exchange(const Bytes& request);
  Result<void> send(ByteView bytes);
  Result<Bytes> receive(std::size_t size);
  Error strange_answer() const;
  Error lost() const;

  std::string address_;
  int descriptor_ = -1;
  std::int32_t correlation_ = 0;
};

}  // namespace chronik::broker::cli
