// ConnectionSet: the connections of one shard and what they share: receive memory, the budget of
// bytes in flight, the idle list, the line limit of the log. Made, used and destroyed on its shard
// (but add(), for the listener).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "broker/api/api_table.h"
#include "broker/net/buffer_pool.h"
#include "broker/net/connection.h"
#include "broker/net/options.h"
#include "broker/runtime/budget.h"
#include "broker/runtime/shard.h"

namespace chronik::broker {

class ConnectionSet final : private TurnEnd {
 public:
  /// All must outlive it.
  ConnectionSet(Shard& shard, Broker& broker, const ApiTable& apis, const NetOptions& options);
  ConnectionSet(const ConnectionSet&) = delete;
  ConnectionSet& operator=(const ConnectionSet&) = delete;
  /// Precondition: empty() (drain() is done).
  ~ConnectionSet() override;

  /// Takes over a connected, non-blocking socket. Within a turn of the shard. After drain() the
  /// socket is closed.
  void add(int fd, ConnectionInfo info, Admission::Ticket ticket);

  /// Begins no further requests, sends the responses to those begun, closes. The future is set when
  /// all are gone; connections that are not by `deadline` are closed hard, but a handler that does
  /// not end keeps the future open. Once.
  Future<void> drain(SteadyTime deadline);

  /// Ends each connection that is there behind its next response; new ones are taken as before.
  /// Returns how many there are. Before drain().
  std::size_t end_behind_responses();

  bool empty() const { return connections_.empty(); }
  std::size_t size() const { return connections_.size(); }

  // For Connection.

  Shard& shard() { return shard_; }
  Broker& broker() { return broker_; }
  const ApiTable& apis() const { return apis_; }
  const NetOptions& options() const { return options_; }
  ShardMetrics& metrics() { return shard_.metrics(); }
  BufferPool& pool() { return pool_; }
  ReceiveSlab& slab() { return slab_; }
  Budget& budget() { return budget_; }
  /// For small frames when that one has none left.
  Budget& small_frames() { return small_frames_; }

  /// Settles the connection at the end of this turn.
  void mark(Connection& connection);
  /// Something moved on the connection: it is the most recently active one.
  void touch(Connection& connection);
  void forget_activity(Connection& connection);
  /// Big memory is in use: the free lists are to be trimmed when that ends.
  void memory_used();
  /// Somebody waits for bytes in flight: frames that take too long are closed if that lasts.
  void under_pressure();
  /// Counts; logs unless it is an orderly end or too many lines were written this second.
  void on_closed(const Connection& connection, CloseReason reason, std::string_view detail);

 private:
  void on_turn_end() override;
  void on_idle_timer();
  void on_trim_timer();
  void on_pressure_timer();
  void on_drain_timer();
  void bury(Connection& connection);

  Shard& shard_;
  Broker& broker_;
  const ApiTable& apis_;
  const NetOptions options_;
  BufferPool pool_;
  ReceiveSlab slab_;
  Budget budget_;
  Budget small_frames_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Connection>> connections_;
  std::vector<Connection*> marked_;
  std::vector<Connection*> settling_;
  Connection* least_recent_ = nullptr;
  Connection* most_recent_ = nullptr;
  Timer idle_timer_;
  Timer trim_timer_;
  Timer pressure_timer_;
  Timer drain_timer_;
  std::uint64_t first_waiting_ = 0;  // the line's first ticket at the last look at it
  bool memory_used_ = false;
  bool draining_ = false;
  std::optional<Promise<void>> drained_;
  SteadyTime log_second_{};
  std::uint32_t log_lines_ = 0;
  std::uint64_t log_suppressed_ = 0;
};

}  // namespace chronik::broker
