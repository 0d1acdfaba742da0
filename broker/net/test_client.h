// A raw client for tests: sends bytes as they are told, reads frames, and waits no longer than its
// patience. Blocking; one thread.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "base/coding.h"

namespace chronik::broker {

class TestClient {
 public:
  static constexpr int patience_ms = 20'000;

  explicit TestClient(std::uint16_t port, int receive_buffer_bytes = 0,
                      const char* host = "127.0.0.1") {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer_bytes > 0) {
      ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof(int));
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    ::inet_pton(AF_INET, host, &address.sin_addr);
    connected_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  TestClient(TestClient&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)),
        connected_(other.connected_),
        input_(std::move(other.input_)) {}
  TestClient& operator=(TestClient&&) = delete;
  ~TestClient() { close(); }

  bool connected() const { return connected_; }
  int fd() const { return fd_; }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  /// Ends with a reset instead of an orderly close.
  void reset() {
    const linger at_once{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close();
  }
  void shut_down_writing() { ::shutdown(fd_, SHUT_WR); }

  /// False when the peer has closed.
  bool send(ByteView bytes) {
    while (!bytes.empty()) {
      const ssize_t size = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (size <= 0) return false;
      bytes = bytes.subspan(static_cast<std::size_t>(size));
    }
    return true;
  }
  /// As much as goes without waiting.
  std::size_t send_some(ByteView bytes) {
    const ssize_t size = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return size < 0 ? 0 : static_cast<std::size_t>(size);
  }

  /// The next frame without its length; nothing when the peer closed or patience ran out.
  std::optional<Bytes> receive_frame() {
    if (!fill(4)) return std::nullopt;
    const auto size = static_cast<std::size_t>(load_be<std::int32_t>(input_.data()));
    if (!fill(4 + size)) return std::nullopt;
    Bytes frame(input_.begin() + 4, input_.begin() + 4 + static_cast<std::ptrdiff_t>(size));
    input_.erase(input_.begin(), input_.begin() + 4 + static_cast<std::ptrdiff_t>(size));
    return frame;
  }
  /// Waits until the peer closes; false when it sends more instead, or patience runs out.
  bool receive_end() {
    if (!input_.empty()) return false;
    std::uint8_t byte = 0;
    return wait(POLLIN) && ::recv(fd_, &byte, 1, 0) <= 0;
  }
  /// Whether something (bytes or the end) is there within `milliseconds`.
  bool readable_within(int milliseconds) {
    pollfd waiting{fd_, POLLIN, 0};
    return !input_.empty() || ::poll(&waiting, 1, milliseconds) > 0;
  }

 private:
  bool wait(short what) {
    pollfd waiting{fd_, what, 0};
    return ::poll(&waiting, 1, patience_ms) > 0;
  }
  bool fill(std::size_t size) {
    std::uint8_t chunk[65536];
    while (input_.size() < size) {
      if (!wait(POLLIN)) return false;
      const ssize_t got = ::recv(fd_, chunk, sizeof chunk, 0);
      if (got <= 0) return false;
      input_.insert(input_.end(), chunk, chunk + got);
    }
    return true;
  }

  int fd_ = -1;
  bool connected_ = false;
  Bytes input_;
};

/// A request frame: length, header (version 1, or 2 when flexible), body.
inline Bytes request_frame(std::int16_t key, std::int16_t version, std::int32_t correlation_id,
                           ByteView body, bool flexible = false,
                           std::string_view client_id = "test") {
  Writer writer;
  writer.i32(0);
  writer.i16(key);
  writer.i16(version);
  writer.i32(correlation_id);
  writer.i16(static_cast<std::int16_t>(client_id.size()));
  writer.text(client_id);
  if (flexible) writer.u8(0);
  writer.bytes(body);
  writer.patch_i32(0, static_cast<std::int32_t>(writer.size() - 4));
  return writer.take_bytes();
}

}  // namespace chronik::broker
