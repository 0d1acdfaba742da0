// A socket to a broker that says exactly what a test wants, well-formed or not. Every wait has a
// deadline.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"

namespace chronik::integration {

class RawConnection {
 public:
  /// Connects; connected() is false when it is refused.
  RawConnection(const std::string& host, int port);
  RawConnection(RawConnection&& other) noexcept;
  RawConnection(const RawConnection&) = delete;
  RawConnection& operator=(const RawConnection&) = delete;
  ~RawConnection();

  bool connected() const { return descriptor_ >= 0; }
  /// "127.0.0.1:40000": how the broker knows this peer.
  std::string local_address() const;
  /// False when the broker has closed the connection.
  bool send(ByteView bytes);
  /// A length before the bytes.
  bool send_frame(ByteView body);
  /// The body of one response; nothing when the broker closed the connection or is silent.
  std::optional<Bytes> receive_frame(
      std::chrono::milliseconds limit = std::chrono::milliseconds(10'000));
  /// Whether the broker closes the connection within `limit`; what it says before is dropped.
  bool closed_by_peer(std::chrono::milliseconds limit = std::chrono::milliseconds(10'000));
  /// From now on send() gives up (false) when the broker takes nothing for `limit`.
  void set_send_limit(std::chrono::milliseconds limit);
  /// No more from this side (half open).
  void finish_sending();

 private:
  int descriptor_ = -1;
};

/// A request with header version 1 (api key, version, correlation id, client id "raw") and `body`.
Bytes request_frame_body(std::int16_t api_key, std::int16_t version, std::int32_t correlation_id,
                         ByteView body = {});

}  // namespace chronik::integration
