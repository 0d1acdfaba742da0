#include "broker/net/peer_dialer.h"

#include <errno.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "broker/net/socket.h"

namespace chronik::broker {

std::string to_text(const PeerAddress& address) {
  const bool v6 = address.host.find(':') != std::string::npos;
  return v6 ? fmt::format("[{}]:{}", address.host, address.port)
            : fmt::format("{}:{}", address.host, address.port);
}

milliseconds PeerBackoff::next(Random& random) {
  const milliseconds longest = std::max(next_, milliseconds(1));
  next_ = std::min(next_ * 2, max_);
  const auto half = static_cast<std::uint64_t>(longest.count() / 2);
  return longest - milliseconds(static_cast<std::int64_t>(random.below(half + 1)));
}

PeerDialer::PeerDialer(Shard& shard, PeerResolver& resolver, Random& random, PeerAddress address,
                       PeerBackoff backoff, Dialing dialing, Failed failed)
    : shard_(shard),
      resolver_(resolver),
      random_(random),
      address_(std::move(address)),
      pause_min_(PeerBackoff(backoff).next(random)),
      backoff_(backoff),
      dialing_(std::move(dialing)),
      failed_(std::move(failed)),
      timer_(shard.timers(), [this] { dial(); }) {
  timer_.arm_at(shard.now());
}

void PeerDialer::dial_soon() {
  if (!timer_.armed() || refused_) return;
  timer_.arm_at(std::min(timer_.deadline(), std::max(shard_.now(), dialed_at_ + pause_min_)));
}

void PeerDialer::ended(Ending ending) {
  if (stopped_) return;
  if (ending == Ending::lasted) backoff_.reset();
  if (ending == Ending::refused) backoff_.slow_down();
  refused_ = ending == Ending::refused;
  timer_.arm_at(shard_.now() + backoff_.next(random_));
}

void PeerDialer::stop() {
  stopped_ = true;
  timer_.cancel();
}

void PeerDialer::dial() {
  dialed_at_ = shard_.now();
  resolver_.resolve(
      address_.host, address_.port,
      [this, life = std::weak_ptr<int>(life_)](const PeerResolver::Addresses& addresses) {
        if (!life.expired() && !stopped_) on_addresses(addresses);
      });
}

void PeerDialer::on_addresses(const PeerResolver::Addresses& addresses) {
  if (!addresses) return fail(addresses.error().message);
  const SocketAddress& to = (*addresses)[attempts_++ % addresses->size()];
  const int fd = ::socket(to.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail(system_error_text(errno));
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  const auto* const address = reinterpret_cast<const sockaddr*>(&to.storage);
  if (::connect(fd, address, to.size) != 0 && errno != EINPROGRESS) {
    const int error = errno;
    ::close(fd);
    return fail(system_error_text(error));
  }
  dialing_(fd, to_text(address_));
}

void PeerDialer::fail(std::string why) {
  failed_(std::move(why));
  ended(Ending::failed);
}

}  // namespace chronik::broker
