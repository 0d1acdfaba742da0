#include "broker/cli/broker_client.h"

#include <fmt/core.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace chronik::broker::cli {

namespace {

constexpr std::int32_t answer_bytes_max = 64 << 20;

using Addresses = std::unique_ptr<addrinfo, void (*)(addrinfo*)>;

Result<Addresses> resolve(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  std::string host = colon == std::string::npos ? "" : address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host.empty() || colon + 1 == address.size()) {
    return Error{
        Errc::invalid_argument,
        fmt::format("{} is no address of a broker: write host:port, as localhost:9092", address)};
  }
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string port = address.substr(colon + 1);
  if (const int failed = ::getaddrinfo(host.c_str(), port.c_str(), &wanted, &found); failed != 0) {
    return Error{Errc::not_found, fmt::format("{}: {}", address, ::gai_strerror(failed))};
  }
  return Addresses(found, ::freeaddrinfo);
}

/// For connecting, too.
void limit_waits(int descriptor, std::chrono::milliseconds limit) {
  timeval time{};
  time.tv_sec = limit.count() / 1000;
  time.tv_usec = (limit.count() % 1000) * 1000;
  ::setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
  ::setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
}

bool is_late(int error) {
  return error == EAGAIN || error == EWOULDBLOCK || error == EINPROGRESS || error == ETIMEDOUT;
}

}  // namespace

Result<BrokerClient> BrokerClient::connect(const std::string& address,
                                           std::chrono::milliseconds limit) {
  TRY_ASSIGN(const Addresses addresses, resolve(address));
  int failed = 0;
  for (const addrinfo* at = addresses.get(); at != nullptr; at = at->ai_next) {
    const int descriptor = ::socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
    if (descriptor < 0) continue;
    limit_waits(descriptor, limit);
    if (::connect(descriptor, at->ai_addr, at->ai_addrlen) == 0) {
      return BrokerClient(address, descriptor);
    }
    failed = errno;
    ::close(descriptor);
  }
  return Error{is_late(failed) ? Errc::timeout : Errc::io,
               fmt::format("no broker answers at {} ({}): name one that runs with "
                           "--bootstrap-server HOST:PORT",
                           address, std::strerror(failed))};
}

BrokerClient::~BrokerClient() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Error BrokerClient::strange_answer() const {
  return {Errc::unsupported,
          fmt::format("what {} answers is none of Kafka's protocol as it was asked for: is that a "
                      "broker, of this version?",
                      address_)};
}

Error BrokerClient::lost() const {
  if (is_late(errno)) return {Errc::timeout, fmt::format("{} does not answer in time", address_)};
  return {Errc::io, fmt::format("{} has closed the connection", address_)};
}

Result<void> BrokerClient::send(ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return lost();
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
  return {};
}

Result<Bytes> BrokerClient::receive(std::size_t size) {
  Bytes bytes(size);
  std::size_t have = 0;
  while (have < size) {
    errno = 0;
    const ssize_t got = ::recv(descriptor_, bytes.data() + have, size - have, 0);
    if (got <= 0) return lost();
    have += static_cast<std::size_t>(got);
  }
  return bytes;
}

Result<Bytes> BrokerClient::exchange(const Bytes& request) {
  Writer length;
  length.i32(static_cast<std::int32_t>(request.size()));
  TRY(send(length.take_bytes()));
  TRY(send(request));
  TRY_ASSIGN(const Bytes head, receive(sizeof(std::int32_t)));
  const auto size = load_be<std::int32_t>(head.data());
  if (size < 0 || size > answer_bytes_max) return strange_answer();
  return receive(static_cast<std::size_t>(size));
}

}  // namespace chronik::broker::cli
