#include "broker/cli/health.h"

#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <spdlog/fmt/fmt.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>

#include "base/coding.h"
#include "protocol/api_keys.h"
#include "protocol/codec.h"
#include "protocol/header.h"
#include "protocol/messages/api_versions.h"

namespace chronik::broker::cli {

namespace {

// The oldest one, which every broker answers.
constexpr std::int16_t asked_version = 0;
constexpr std::int32_t correlation_id = 1;
// An answer is a few hundred bytes; what announces more is something else.
constexpr std::int32_t answer_bytes_max = 1 << 20;

Error system_failure(int code) { return {Errc::io, std::generic_category().message(code)}; }

Error nothing_came(milliseconds limit) {
  return {Errc::timeout, fmt::format("no answer within {} ms", limit.count())};
}

Error no_broker() { return {Errc::corrupt, "what answers there is no broker"}; }

class Conversation {
 public:
  explicit Conversation(milliseconds limit)
      : limit_(limit), deadline_(SystemClock().steady_now() + limit) {}
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;
  ~Conversation() { close(); }

  Result<void> connect(const addrinfo& address) {
    close();
    socket_ = ::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (socket_ < 0) return system_failure(errno);
    if (::connect(socket_, address.ai_addr, address.ai_addrlen) == 0) return {};
    if (errno != EINPROGRESS) return system_failure(errno);
    TRY(wait_for(POLLOUT));
    int code = 0;
    socklen_t size = sizeof code;
    if (::getsockopt(socket_, SOL_SOCKET, SO_ERROR, &code, &size) != 0) code = errno;
    if (code != 0) return system_failure(code);
    return {};
  }

  Result<void> send(ByteView bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN && errno != EINTR) return system_failure(errno);
      if (sent < 0) {
        TRY(wait_for(POLLOUT));
        continue;
      }
      bytes = bytes.subspan(static_cast<std::size_t>(sent));
    }
    return {};
  }

  Result<Bytes> receive(std::size_t size) {
    Bytes bytes(size);
    std::size_t have = 0;
    while (have < size) {
      TRY(wait_for(POLLIN));
      const ssize_t got = ::recv(socket_, bytes.data() + have, size - have, 0);
      if (got == 0) return Error{Errc::io, "the connection was closed without an answer"};
      if (got < 0 && errno != EAGAIN && errno != EINTR) return system_failure(errno);
      if (got > 0) have += static_cast<std::size_t>(got);
    }
    return bytes;
  }

 private:
  void close() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }

  Result<void> wait_for(short events) {
    while (true) {
      const auto left = std::chrono::ceil<milliseconds>(deadline_ - SystemClock().steady_now());
      pollfd wanted{socket_, events, 0};
      const int found = ::poll(&wanted, 1, static_cast<int>(std::max<long>(left.count(), 0)));
      if (found > 0) return {};
      if (found == 0) return nothing_came(limit_);
      if (errno != EINTR) return system_failure(errno);
    }
  }

  const milliseconds limit_;
  const SteadyTime deadline_;
  int socket_ = -1;
};

/// To the first address of the host that takes the connection.
Result<void> connect(Conversation& conversation, const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int code = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (code != 0) return Error{Errc::not_found, ::gai_strerror(code)};
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
  Result<void> connected = Error{Errc::not_found, "the host has no address"};
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    connected = conversation.connect(*address);
    if (connected || connected.error().code == Errc::timeout) break;
  }
  return connected;
}

Bytes question() {
  constexpr std::int16_t api = protocol::ApiVersionsRequest::api_key;
  Writer frame;
  frame.i32(0);
  protocol::encode_header(frame, *protocol::request_header_version(api, asked_version),
                          {.api_key = api,
                           .api_version = asked_version,
                           .correlation_id = correlation_id,
                           .client_id = "chronik-health",
                           .unknown_tags = {}});
  protocol::encode(frame, asked_version, protocol::ApiVersionsRequest{});
  frame.patch_i32(0, static_cast<std::int32_t>(frame.size() - 4));
  return frame.take_bytes();
}

Result<void> judge(ByteView answer) {
  Reader reader(answer);
  protocol::ResponseHeader header;
  protocol::ApiVersionsResponse response;
  const std::int16_t header_version =
      *protocol::response_header_version(protocol::ApiVersionsRequest::api_key, asked_version);
  if (!protocol::decode_header(reader, header_version, header) ||
      header.correlation_id != correlation_id ||
      !protocol::decode(reader, asked_version, response) || !reader.finished()) {
    return no_broker();
  }
  if (response.error_code != 0) {
    return Error{Errc::corrupt, fmt::format("it answers with error {}", response.error_code)};
  }
  return {};
}

}  // namespace

std::string local_host(const Listener& listener) {
  return listener.host.empty() ? "localhost" : listener.host;
}

Result<void> ask_health(const std::string& host, std::uint16_t port, milliseconds limit) {
  Conversation conversation(limit);
  TRY(connect(conversation, host, port));
  TRY(conversation.send(question()));
  TRY_ASSIGN(const Bytes length, conversation.receive(4));
  const auto size = load_be<std::int32_t>(length.data());
  if (size < 0 || size > answer_bytes_max) return no_broker();
  TRY_ASSIGN(const Bytes answer, conversation.receive(static_cast<std::size_t>(size)));
  return judge(answer);
}

}  // namespace chronik::broker::cli
