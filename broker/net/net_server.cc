#include "broker/net/net_server.h"

#include <future>
#include <utility>

#include "broker/runtime/blocking.h"

namespace chronik::broker {

NetServer::NetServer(Shards& shards, Broker& broker, const ApiTable& apis, NetOptions options)
    : shards_(shards),
      options_(options),
      admission_(shards.count(), options.connections_max, options.connections_per_ip_max) {
  for (std::uint32_t id = 0; id < shards.count(); ++id) {
    Shard& shard = shards.at(id);
    sets_.push_back(call_on(
        shard, [&] { return std::make_unique<ConnectionSet>(shard, broker, apis, options_); }));
  }
}

NetServer::~NetServer() { stop(milliseconds(0)); }

Result<void> NetServer::open(const std::vector<Endpoint>& endpoints) {
  auto accept = [this](int fd, ConnectionInfo info, Admission::Ticket ticket) {
    const std::uint32_t shard = ticket.shard();
    ConnectionSet* set = sets_[shard].get();
    shards_.at(shard).post([set, fd, info = std::move(info), ticket = std::move(ticket)]() mutable {
      set->add(fd, std::move(info), std::move(ticket));
    });
  };
  std::vector<std::unique_ptr<Listener>> listeners;
  for (const Endpoint& endpoint : endpoints) {
    TRY_ASSIGN(auto listener,
               Listener::open(shards_.first(), endpoint, admission_, options_, accept));
    listeners.push_back(std::move(listener));
  }
  for (const auto& listener : listeners) endpoints_.push_back(listener->endpoint());
  listeners_ = std::move(listeners);
  return {};
}

void NetServer::start() {
  CHECK(!started_);
  started_ = true;
  call_on(shards_.first(), [this] {
    for (auto& listener : listeners_) listener->start();
  });
}

namespace {

Task<void> drain_set(ConnectionSet* set, SteadyTime deadline) {
  Future<void> drained = set->drain(deadline);
  co_await drained;
}

}  // namespace

void NetServer::stop(milliseconds grace) {
  if (std::exchange(stopped_, true)) return;
  if (started_) {
    call_on(shards_.first(), [this] {
      for (auto& listener : listeners_) listener->close();
    });
  }
  // Sockets accepted before the close are on their way to their shards, before what comes now.
  std::vector<std::promise<void>> drained(sets_.size());
  for (std::uint32_t id = 0; id < shards_.count(); ++id) {
    Shard& shard = shards_.at(id);
    shard.post([this, &shard, id, grace, done = &drained[id]] {
      detail::fulfil(drain_set(sets_[id].get(), shard.now() + grace), done);
    });
  }
  for (auto& done : drained) done.get_future().wait();
  call_on(shards_.first(), [this] { listeners_.clear(); });
  for (std::uint32_t id = 0; id < shards_.count(); ++id) {
    call_on(shards_.at(id), [this, id] { sets_[id].reset(); });
  }
}

}  // namespace chronik::broker
