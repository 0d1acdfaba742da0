#include "integration/harness/raw_connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/coding.h"

namespace chronik::integration {

namespace {

using Clock = std::chrono::steady_clock;

// Whether there is something to read before the deadline.
bool readable(int descriptor, Clock::time_point deadline) {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
  pollfd wanted{descriptor, POLLIN, 0};
  return poll(&wanted, 1, static_cast<int>(std::max<std::int64_t>(left, 0))) == 1;
}

// Up to `size` bytes; fewer when the connection ends or the time is over.
Bytes receive(int descriptor, std::size_t size, Clock::time_point deadline) {
  Bytes result(size);
  std::size_t have = 0;
  while (have < size && readable(descriptor, deadline)) {
    const ssize_t got = recv(descriptor, result.data() + have, size - have, 0);
    if (got <= 0) break;
    have += static_cast<std::size_t>(got);
  }
  result.resize(have);
  return result;
}

}  // namespace

std::string RawConnection::local_address() const {
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  CHECK(getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  char host[INET_ADDRSTRLEN] = {};
  CHECK(inet_ntop(AF_INET, &address.sin_addr, host, sizeof(host)) != nullptr);
  return std::string(host) + ":" + std::to_string(ntohs(address.sin_port));
}

RawConnection::RawConnection(const std::string& host, int port) {
  descriptor_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK(descriptor_ >= 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  CHECK(inet_pton(AF_INET, host.c_str(), &address.sin_addr) == 1);
  if (connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    close(std::exchange(descriptor_, -1));
  }
}

RawConnection::RawConnection(RawConnection&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

RawConnection::~RawConnection() {
  if (descriptor_ >= 0) close(descriptor_);
}

bool RawConnection::send(ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
  return true;
}

bool RawConnection::send_frame(ByteView body) {
  Writer writer;
  writer.i32(static_cast<std::int32_t>(body.size()));
  writer.bytes(body);
  return send(writer.take_bytes());
}

std::optional<Bytes> RawConnection::receive_frame(std::chrono::milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  const Bytes length = receive(descriptor_, 4, deadline);
  if (length.size() != 4) return std::nullopt;
  Reader reader{ByteView(length)};
  const auto size = static_cast<std::size_t>(reader.i32());
  Bytes body = receive(descriptor_, size, deadline);
  if (body.size() != size) return std::nullopt;
  return body;
}

bool RawConnection::closed_by_peer(std::chrono::milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  char dropped[4096];
  while (readable(descriptor_, deadline)) {
    if (recv(descriptor_, dropped, sizeof(dropped), 0) <= 0) return true;
  }
  return false;
}

void RawConnection::set_send_limit(std::chrono::milliseconds limit) {
  const timeval time{limit.count() / 1000, limit.count() % 1000 * 1000};
  CHECK(setsockopt(descriptor_, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time)) == 0);
}

void RawConnection::finish_sending() { shutdown(descriptor_, SHUT_WR); }

Bytes request_frame_body(std::int16_t api_key, std::int16_t version, std::int32_t correlation_id,
                         ByteView body) {
  Writer writer;
  writer.i16(api_key);
  writer.i16(version);
  writer.i32(correlation_id);
  writer.i16(3);
  writer.bytes(as_bytes("raw"));
  writer.bytes(body);
  return writer.take_bytes();
}

}  // namespace chronik::integration
