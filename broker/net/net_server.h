// NetServer: the listeners and the connections of all shards. Called from the main thread.
#pragma once

#include <memory>
#include <vector>

#include "base/result.h"
#include "broker/api/api_table.h"
#include "broker/broker.h"
#include "broker/net/acceptor.h"
#include "broker/net/admission.h"
#include "broker/net/connection_set.h"
#include "broker/net/options.h"
#include "broker/runtime/shard.h"
#include "broker/settings/settings.h"

namespace chronik::broker {

class NetServer {
 public:
  /// All must outlive it. `broker` is handed to the handlers and not looked into.
  NetServer(Shards& shards, Broker& broker, const ApiTable& apis, NetOptions options);
  NetServer(const NetServer&) = delete;
  NetServer& operator=(const NetServer&) = delete;
  /// Stops, when that was not done.
  ~NetServer();

  /// Binds and listens; clients can connect from here on and wait to be served. Errors: of
  /// Acceptor::open; then nothing listens.
  Result<void> open(const std::vector<Listener>& listeners);
  /// Those of open(), with the ports that the system chose.
  const std::vector<Listener>& listeners() const { return listeners_; }
  /// Accepts and serves.
  void start();

  /// Ends each connection behind its next response, and takes new ones for `time`; returns when
  /// that is over, at once where nobody is connected. Before leadership is handed over: a client
  /// that loses its connection comes back at once, and connects to another node too (librdkafka
  /// does so when it has no other). One that knows this node alone when it goes for good looks for
  /// the new leaders up to a second later.
  void make_clients_reconnect(milliseconds time);

  /// Accepts no more, and ends each connection behind its next response, for `time`. Before stop():
  /// of a client that waits for each of its requests none fails.
  void let_clients_go(milliseconds time);

  /// Accepts no more, lets the requests under way end and their responses leave, for `grace` at
  /// most; returns when no connection and no handler is left. Idempotent.
  void stop(milliseconds grace);

  std::uint64_t connections() const { return admission_.connections(); }
  /// Of a shard; to be used on it.
  ConnectionSet& connections_of(std::uint32_t shard) { return *sets_[shard]; }

 private:
  Shards& shards_;
  const NetOptions options_;
  Admission admission_;
  std::vector<std::unique_ptr<ConnectionSet>> sets_;  // by shard
  std::vector<std::unique_ptr<Acceptor>> acceptors_;  // on the first shard
  std::vector<Listener> listeners_;
  void end_behind_responses(milliseconds time);
  void close_acceptors();

  bool started_ = false;
  bool stopped_ = false;
};

}  // namespace chronik::broker
