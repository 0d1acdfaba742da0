// RequestContext: what a handler knows of the request it answers, and how it says what a response
// cannot: that nothing is sent (acks=0), or that the connection is to be closed. Lives on the
// connection's shard from the arrival of the request until its response was handed over, however
// often the handler suspends; handlers keep references to it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "broker/runtime/shard.h"
#include "protocol/header.h"

namespace chronik::broker {

struct Broker;

/// What handlers may know of a connection. On the connection's shard.
struct ConnectionInfo {
  std::uint64_t id = 0;       // unique in the process
  std::string listener;       // the listener's name, in upper case
  std::string peer;           // address:port, for log lines
  std::string client_host;    // "/address", as Kafka shows it in descriptions of group members
  std::string local_host;     // the address of this machine by which the client came
  std::string software_name;  // as its ApiVersions request said (KIP-511); empty before
  std::string software_version;
  bool of_node = false;  // no connection of a client: another node asks for a client of its own
};

class RequestContext {
 public:
  RequestContext(Broker& broker, Shard& shard, ConnectionInfo& connection)
      : broker_(broker), shard_(shard), connection_(connection) {}
  RequestContext(const RequestContext&) = delete;
  RequestContext& operator=(const RequestContext&) = delete;

  Broker& broker() { return broker_; }
  Shard& shard() { return shard_; }
  ConnectionInfo& connection() { return connection_; }
  const protocol::RequestHeader& header() const { return header_; }
  std::int16_t version() const { return header_.api_version; }
  std::string_view client_id() const {
    return header_.client_id ? std::string_view(*header_.client_id) : std::string_view();
  }
  /// When the first byte of its frame was there.
  SteadyTime received_at() const { return received_at_; }

  /// The handler's response is not sent, and the next one may go (produce with acks=0).
  void answer_nothing() { outcome_ = Outcome::nothing; }
  /// The handler's response is not sent; the connection is closed when the responses to earlier
  /// requests have left. `reason` is for the log (an acks=0 produce that failed, for instance).
  void close_connection(std::string reason) {
    outcome_ = Outcome::close;
    close_reason_ = std::move(reason);
  }

  /// The connection is gone, or the broker stops: nobody waits for the answer. A handler that waits
  /// long (a fetch, a join) asks to be called once when that happens, and then ends its wait.
  bool cancelled() const { return cancelled_; }
  /// Replaces an earlier callback; called at once when it is cancelled already. The callback must
  /// not destroy the context; clear it (nullptr) when what it refers to goes away.
  void on_cancel(std::function<void()> callback) {
    on_cancel_ = std::move(callback);
    if (cancelled_ && on_cancel_) std::exchange(on_cancel_, nullptr)();
  }

  // From here on: for broker/net and the dispatch.

  enum class Outcome : std::uint8_t { response, nothing, close };
  Outcome outcome() const { return outcome_; }
  std::string take_close_reason() { return std::move(close_reason_); }
  void start(protocol::RequestHeader header, SteadyTime received_at) {
    header_ = std::move(header);
    received_at_ = received_at;
  }
  void cancel() {
    if (std::exchange(cancelled_, true)) return;
    if (on_cancel_) std::exchange(on_cancel_, nullptr)();
  }

 private:
  Broker& broker_;
  Shard& shard_;
  ConnectionInfo& connection_;
  protocol::RequestHeader header_;
  SteadyTime received_at_{};
  Outcome outcome_ = Outcome::response;
  bool cancelled_ = false;
  std::string close_reason_;
  std::function<void()> on_cancel_;
};

}  // namespace chronik::broker
