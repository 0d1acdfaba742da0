#include "broker/net/acceptor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "base/check.h"
#include "base/log.h"

namespace chronik::broker {

std::string to_text(const Listener& listener) {
  const bool v6 = listener.host.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}", listener.name, v6 ? "[" : "", listener.host, v6 ? "]" : "",
                     listener.port);
}

namespace {

constexpr int accepts_per_turn = 64;
constexpr milliseconds rest_time{100};

struct AddressList {
  addrinfo* first = nullptr;
  AddressList() = default;
  AddressList(const AddressList&) = delete;
  AddressList& operator=(const AddressList&) = delete;
  ~AddressList() {
    if (first != nullptr) ::freeaddrinfo(first);
  }
};

Error listen_error(const Listener& listener, std::string_view setting, int error) {
  if (error == EADDRINUSE) {
    return {Errc::busy,
            fmt::format("cannot listen on {}: the port is in use; stop the process that holds it "
                        "(ss -ltnp 'sport = :{}' shows it) or set another port in {}",
                        to_text(listener), listener.port, setting)};
  }
  std::string_view advice = "check host and port in";
  if (error == EADDRNOTAVAIL) advice = "this machine has no such address; check";
  if (error == EACCES) advice = "ports below 1024 need a privilege; set a higher one in";
  return {Errc::io, fmt::format("cannot listen on {}: {}; {} {}", to_text(listener),
                                system_error_text(error), advice, setting)};
}

/// A bound and listening socket, or -1 with errno.
int listen_at(const sockaddr* address, socklen_t size, int family, int backlog) {
  const int fd = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const int on = 1;
  const int off = 0;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (family == AF_INET6) ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  if (::bind(fd, address, size) == 0 && ::listen(fd, backlog) == 0) return fd;
  const int error = errno;
  ::close(fd);
  errno = error;
  return -1;
}

int listen_on_all_addresses(std::uint16_t port, int backlog) {
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  int fd = listen_at(reinterpret_cast<const sockaddr*>(&v6), sizeof v6, AF_INET6, backlog);
  if (fd >= 0 || errno == EADDRINUSE) return fd;
  // A machine without IPv6.
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  return listen_at(reinterpret_cast<const sockaddr*>(&v4), sizeof v4, AF_INET, backlog);
}

Result<int> listen_on_host(const Listener& listener, std::string_view setting, int backlog) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  AddressList list;
  const std::string port = std::to_string(listener.port);
  const int found = ::getaddrinfo(listener.host.c_str(), port.c_str(), &hints, &list.first);
  if (found != 0 || list.first == nullptr) {
    return Error{Errc::invalid_argument,
                 fmt::format("cannot listen on {}: the host is unknown ({}); check {}",
                             to_text(listener), ::gai_strerror(found), setting)};
  }
  int error = 0;
  for (const addrinfo* at = list.first; at != nullptr; at = at->ai_next) {
    const int fd = listen_at(at->ai_addr, at->ai_addrlen, at->ai_family, backlog);
    if (fd >= 0) return fd;
    error = errno;
  }
  return listen_error(listener, setting, error);
}

std::uint16_t bound_port(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  CHECK(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  if (address.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
  }
  return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

/// Unique in the process.
std::uint64_t next_connection_id() {
  static std::atomic<std::uint64_t> next{1};
  return next.fetch_add(1, std::memory_order_relaxed);
}

struct Address {
  std::string host;
  std::uint16_t port = 0;
};

Address address_of(const sockaddr_storage& storage) {
  char text[INET6_ADDRSTRLEN] = {};
  if (storage.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
    ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    return {text, ntohs(v4.sin_port)};
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
  if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
    // An IPv4 peer of a listener for both; known by its IPv4 address.
    ::inet_ntop(AF_INET, v6.sin6_addr.s6_addr + 12, text, sizeof text);
  } else {
    ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
  }
  return {text, ntohs(v6.sin6_port)};
}

std::string local_host_of(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
  return address_of(address).host;
}

void set_options(int fd, const NetOptions& options) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  if (options.socket_send_buffer_bytes > 0) {
    ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &options.socket_send_buffer_bytes, sizeof(int));
  }
  if (options.socket_receive_buffer_bytes > 0) {
    ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &options.socket_receive_buffer_bytes, sizeof(int));
  }
}

}  // namespace

Result<std::unique_ptr<Acceptor>> Acceptor::open(Shard& shard, const Listener& listener,
                                                 Admission& admission, const NetOptions& options,
                                                 Accept accept) {
  // To be cut to net.core.somaxconn by the system. Kafka's default of 50 makes clients that come
  // together wait for a second.
  const int backlog = std::max(options.listen_backlog_min, options.listen_backlog);
  int fd = -1;
  if (listener.host.empty()) {
    fd = listen_on_all_addresses(listener.port, backlog);
    if (fd < 0) return listen_error(listener, options.listeners_setting, errno);
  } else {
    TRY_ASSIGN(fd, listen_on_host(listener, options.listeners_setting, backlog));
  }
  Listener bound = listener;
  bound.port = bound_port(fd);
  return std::make_unique<Acceptor>(shard, std::move(bound), fd, admission, options,
                                    std::move(accept));
}

Acceptor::Acceptor(Shard& shard, Listener listener, int fd, Admission& admission,
                   const NetOptions& options, Accept accept)
    : shard_(shard),
      listener_(std::move(listener)),
      fd_(fd),
      admission_(admission),
      options_(options),
      accept_(std::move(accept)),
      rest_timer_(shard.timers(), [this] { wait(); }) {
  open_reserve();
}

Acceptor::~Acceptor() {
  if (fd_ >= 0) ::close(fd_);
  if (reserve_ >= 0) ::close(reserve_);
}

void Acceptor::open_reserve() { reserve_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

void Acceptor::start() {
  CHECK(shard_.is_current() && fd_ >= 0);
  socket_ = std::make_unique<Socket>(*shard_.io());
  const bool opened = socket_->open(std::exchange(fd_, -1));
  CHECK_MSG(opened, "the event loop does not take the listener");
  wait();
}

void Acceptor::close() {
  CHECK(shard_.is_current());
  if (std::exchange(closed_, true)) return;
  rest_timer_.cancel();
  if (socket_) socket_->close();
}

void Acceptor::wait() {
  if (closed_) return;
  waiting_ = true;
  socket_->wait_readable(
      [this](bool ready) { shard_.turn([this, ready] { on_readable(ready); }); });
}

void Acceptor::on_readable(bool ready) {
  waiting_ = false;
  if (closed_) return;
  if (!ready) {
    rest();
    return;
  }
  for (int i = 0; i < accepts_per_turn; ++i) {
    if (!accept_one()) return;
  }
  wait();
}

/// False when there is nothing to accept for now; the next wait is arranged then.
bool Acceptor::accept_one() {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  const int fd = ::accept4(socket_->fd(), reinterpret_cast<sockaddr*>(&address), &size,
                           SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) {
    if (shedding_) {
      shedding_ = false;
      log_info("file descriptors are free again",
               {{"listener", to_text(listener_)}, {"connections_shed", shed_}});
      shed_ = 0;
    }
    admit(fd, address);
    return true;
  }
  switch (errno) {
    case EAGAIN:
      wait();
      return false;
    case EMFILE:
    case ENFILE:
      return shed_one(errno);
    case ENOBUFS:
    case ENOMEM:
      rest();
      return false;
    default:
      return true;  // the newcomer's own failure (ECONNABORTED and others, see accept(2))
  }
}

void Acceptor::admit(int fd, const sockaddr_storage& address) {
  const Address peer = address_of(address);
  Admission::Verdict verdict = admission_.admit(peer.host);
  if (!verdict.admitted) {
    ::close(fd);
    auto& closed = shard_.metrics().connections_closed;
    closed[static_cast<std::size_t>(CloseReason::too_many)].add();
    ++refused_;
    if (shard_.now() >= refusals_quiet_until_) {
      refusals_quiet_until_ = shard_.now() + std::chrono::seconds(1);
      log_warn("connections refused: too many",
               {{"peer", peer.host}, {"limit", verdict.limit}, {"refused", refused_}});
      refused_ = 0;
    }
    return;
  }
  set_options(fd, options_);
  ConnectionInfo info;
  info.id = next_connection_id();
  info.listener = listener_.name;
  info.client_host = "/" + peer.host;
  info.local_host = local_host_of(fd);
  const bool v6 = peer.host.find(':') != std::string::npos;
  info.peer = v6 ? fmt::format("[{}]:{}", peer.host, peer.port)
                 : fmt::format("{}:{}", peer.host, peer.port);
  accept_(fd, std::move(info), std::move(verdict.ticket));
}

bool Acceptor::shed_one(int error) {
  if (!shedding_) {
    shedding_ = true;
    log_error("no file descriptors left: new connections are closed at once",
              {{"listener", to_text(listener_)},
               {"error", system_error_text(error)},
               {"advice", "raise the limit of open files (ulimit -n, LimitNOFILE=)"}});
  }
  if (reserve_ < 0) open_reserve();
  if (reserve_ < 0) {
    rest();
    return false;
  }
  ::close(std::exchange(reserve_, -1));
  const int fd = ::accept4(socket_->fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  const int accept_error = errno;
  if (fd >= 0) {
    ::close(fd);
    ++shed_;
    shard_.metrics().connections_shed.add();
  }
  open_reserve();
  if (fd >= 0) return true;
  if (accept_error == EAGAIN) {
    wait();
  } else {
    // Another thread took the descriptor in between.
    rest();
  }
  return false;
}

void Acceptor::rest() { rest_timer_.arm_at(shard_.now() + rest_time); }

}  // namespace chronik::broker
