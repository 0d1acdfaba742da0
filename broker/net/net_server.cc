#include "broker/net/net_server.h"

#include <signal.h>

#include <future>
#include <memory>
#include <utility>

#include "broker/runtime/blocking.h"
#include "broker/runtime/future.h"
#include "broker/runtime/timer.h"

namespace chronik::broker {

NetServer::NetServer(Shards& shards, Broker& broker, const ApiTable& apis, NetOptions options)
    : shards_(shards),
      options_(std::move(options)),
      admission_(shards.count(), options.connections) {
  // sendfile to a peer that is gone raises it, and cannot be told not to.
  ::signal(SIGPIPE, SIG_IGN);
  for (std::uint32_t id = 0; id < shards.count(); ++id) {
    Shard& shard = shards.at(id);
    sets_.push_back(call_on(
        shard, [&] { return std::make_unique<ConnectionSet>(shard, broker, apis, options_); }));
  }
}

NetServer::~NetServer() { stop(milliseconds(0)); }

Result<void> NetServer::open(const std::vector<Listener>& listeners) {
  auto accept = [this](int fd, ConnectionInfo info, Admission::Ticket ticket) {
    const std::uint32_t shard = ticket.shard();
    ConnectionSet* set = sets_[shard].get();
    shards_.at(shard).post([set, fd, info = std::move(info), ticket = std::move(ticket)]() mutable {
      set->add(fd, std::move(info), std::move(ticket));
    });
  };
  std::vector<std::unique_ptr<Acceptor>> acceptors;
  for (const Listener& listener : listeners) {
    TRY_ASSIGN(auto acceptor,
               Acceptor::open(shards_.first(), listener, admission_, options_, accept));
    acceptors.push_back(std::move(acceptor));
  }
  for (const auto& acceptor : acceptors) listeners_.push_back(acceptor->listener());
  acceptors_ = std::move(acceptors);
  return {};
}

void NetServer::start() {
  CHECK(!started_);
  started_ = true;
  call_on(shards_.first(), [this] {
    for (auto& acceptor : acceptors_) acceptor->start();
  });
}

namespace {

Task<void> drain_set(ConnectionSet* set, SteadyTime deadline) {
  Future<void> drained = set->drain(deadline);
  co_await drained;
}

}  // namespace

namespace {

Task<void> pass_time(Shard* shard, milliseconds time) {
  auto promise = std::make_shared<Promise<void>>();
  Future<void> over = promise->future();
  Timer timer(shard->timers(), [promise] { promise->set(); });
  timer.arm_at(shard->now() + time);
  co_await over;
}

}  // namespace

void NetServer::end_behind_responses(milliseconds time) {
  std::size_t clients = 0;
  for (std::uint32_t id = 0; id < shards_.count(); ++id) {
    clients += call_on(shards_.at(id), [&] { return sets_[id]->end_behind_responses(); });
  }
  if (clients > 0) call_on(shards_.first(), [&] { return pass_time(&shards_.first(), time); });
}

void NetServer::make_clients_reconnect(milliseconds time) {
  if (started_) end_behind_responses(time);
}

void NetServer::let_clients_go(milliseconds time) {
  if (!started_) return;
  close_acceptors();
  end_behind_responses(time);
}

void NetServer::close_acceptors() {
  call_on(shards_.first(), [this] {
    for (auto& acceptor : acceptors_) acceptor->close();
  });
}

void NetServer::stop(milliseconds grace) {
  if (std::exchange(stopped_, true)) return;
  if (started_) close_acceptors();
  // Sockets accepted before the close are on their way to their shards, before what comes now.
  std::vector<std::promise<void>> drained(sets_.size());
  for (std::uint32_t id = 0; id < shards_.count(); ++id) {
    Shard& shard = shards_.at(id);
    shard.post([this, &shard, id, grace, done = &drained[id]] {
      detail::fulfil(drain_set(sets_[id].get(), shard.now() + grace), done);
    });
  }
  for (auto& done : drained) done.get_future().wait();
  call_on(shards_.first(), [this] { acceptors_.clear(); });
  for (std::uint32_t id = 0; id < shards_.count(); ++id) {
    call_on(shards_.at(id), [this, id] { sets_[id].reset(); });
  }
}

}  // namespace chronik::broker
