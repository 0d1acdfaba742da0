#include "broker/net/connection_set.h"

#include <unistd.h>

#include <algorithm>

#include "base/check.h"
#include "base/log.h"

namespace chronik::broker {

namespace {

constexpr milliseconds trim_after{5'000};
// All that may be in flight fits on the free lists, with the slack of its size classes: no memory
// is faulted in twice while producers are busy. It goes back to the system when they are not.
constexpr std::size_t pool_slack_bytes = 16u << 20;
constexpr std::uint32_t log_lines_per_second = 10;
constexpr std::int64_t small_frames_share = 8;

bool is_orderly(CloseReason reason) {
  return reason == CloseReason::peer_closed || reason == CloseReason::idle ||
         reason == CloseReason::shutdown;
}

}  // namespace

ConnectionSet::ConnectionSet(Shard& shard, Broker& broker, const ApiTable& apis,
                             const NetOptions& options)
    : shard_(shard),
      broker_(broker),
      apis_(apis),
      options_(options),
      pool_(static_cast<std::size_t>(options.in_flight_bytes_max) + pool_slack_bytes),
      slab_(pool_),
      budget_(options.in_flight_bytes_max),
      small_frames_(options.in_flight_bytes_max / small_frames_share),
      idle_timer_(shard.timers(), [this] { on_idle_timer(); }),
      trim_timer_(shard.timers(), [this] { on_trim_timer(); }),
      pressure_timer_(shard.timers(), [this] { on_pressure_timer(); }),
      drain_timer_(shard.timers(), [this] { on_drain_timer(); }) {}

ConnectionSet::~ConnectionSet() {
  CHECK(connections_.empty());
  shard_.forget_turn_end(*this);
}

void ConnectionSet::add(int fd, ConnectionInfo info, Admission::Ticket ticket) {
  if (draining_) {
    ::close(fd);
    return;
  }
  const std::uint64_t id = info.id;
  auto connection = std::make_unique<Connection>(*this, std::move(info), std::move(ticket));
  Connection& added = *connection;
  CHECK(connections_.emplace(id, std::move(connection)).second);
  metrics().connections_opened.add();
  metrics().connections.add();
  added.start(fd);
}

std::size_t ConnectionSet::end_behind_responses() {
  CHECK(!draining_);
  for (auto& [id, connection] : connections_) connection->end_behind_response();
  return connections_.size();
}

Future<void> ConnectionSet::drain(SteadyTime deadline) {
  CHECK(!draining_);
  draining_ = true;
  drained_.emplace();
  Future<void> future = drained_->future();
  if (connections_.empty()) {
    drained_->set();
    return future;
  }
  for (auto& [id, connection] : connections_) connection->drain(CloseReason::shutdown);
  drain_timer_.arm_at(deadline);
  return future;
}

void ConnectionSet::on_drain_timer() {
  for (auto& [id, connection] : connections_) connection->close(CloseReason::shutdown);
}

void ConnectionSet::mark(Connection& connection) {
  if (connection.settling_) return;
  connection.settling_ = true;
  marked_.push_back(&connection);
  shard_.at_turn_end(*this);
}

void ConnectionSet::on_turn_end() {
  settling_.swap(marked_);
  for (Connection* connection : settling_) {
    connection->settling_ = false;
    connection->settle();
    if (connection->finished() && !connection->settling_) bury(*connection);
  }
  settling_.clear();
}

void ConnectionSet::bury(Connection& connection) {
  metrics().connections.subtract();
  const std::uint64_t id = connection.info().id;
  connections_.erase(id);
  if (draining_ && connections_.empty()) {
    drain_timer_.cancel();
    drained_->set();
  }
}

void ConnectionSet::touch(Connection& connection) {
  if (connection.closed_) return;
  connection.active_at_ = shard_.now();
  if (most_recent_ == &connection) return;
  forget_activity(connection);
  connection.less_recent_ = most_recent_;
  (most_recent_ != nullptr ? most_recent_->more_recent_ : least_recent_) = &connection;
  most_recent_ = &connection;
  if (!idle_timer_.armed() && options_.idle_max > milliseconds(0)) {
    idle_timer_.arm_at(least_recent_->active_at_ + options_.idle_max);
  }
}

void ConnectionSet::forget_activity(Connection& connection) {
  Connection* less = std::exchange(connection.less_recent_, nullptr);
  Connection* more = std::exchange(connection.more_recent_, nullptr);
  if (less != nullptr) {
    less->more_recent_ = more;
  } else if (least_recent_ == &connection) {
    least_recent_ = more;
  }
  if (more != nullptr) {
    more->less_recent_ = less;
  } else if (most_recent_ == &connection) {
    most_recent_ = less;
  }
}

void ConnectionSet::on_idle_timer() {
  const SteadyTime limit = shard_.now() - options_.idle_max;
  while (least_recent_ != nullptr && least_recent_->active_at_ <= limit) {
    Connection& connection = *least_recent_;
    if (connection.sending()) {
      connection.close(CloseReason::slow_reader, "it has not read a response for too long");
    } else if (connection.busy()) {
      touch(connection);  // it waits for us, not we for it
      if (least_recent_ == &connection) break;
    } else {
      connection.close(CloseReason::idle);
    }
  }
  if (least_recent_ != nullptr) {
    idle_timer_.arm_at(
        std::max(least_recent_->active_at_ + options_.idle_max, shard_.now() + milliseconds(1)));
  }
}

void ConnectionSet::memory_used() {
  memory_used_ = true;
  if (!trim_timer_.armed()) trim_timer_.arm_at(shard_.now() + trim_after);
}

void ConnectionSet::on_trim_timer() {
  if (std::exchange(memory_used_, false)) {
    trim_timer_.arm_at(shard_.now() + trim_after);
    return;
  }
  pool_.trim();
  // What is still out comes back later; the slab's block alone is not worth waking up for.
  if (pool_.taken() > 1) trim_timer_.arm_at(shard_.now() + trim_after);
}

void ConnectionSet::under_pressure() {
  if (pressure_timer_.armed()) return;
  first_waiting_ = budget_.first_ticket();
  pressure_timer_.arm_at(shard_.now() + options_.pressure_check);
}

void ConnectionSet::on_pressure_timer() {
  if (budget_.has_waiters() && budget_.first_ticket() == first_waiting_) {
    for (auto& [id, connection] : connections_) connection->check_pressure();
  }
  first_waiting_ = budget_.first_ticket();
  if (budget_.has_waiters()) pressure_timer_.arm_at(shard_.now() + options_.pressure_check);
}

void ConnectionSet::on_closed(const Connection& connection, CloseReason reason,
                              std::string_view detail) {
  metrics().connections_closed[static_cast<std::size_t>(reason)].add();
  if (is_orderly(reason)) {
    log_debug(
        "connection closed",
        {{"peer", connection.info().peer}, {"reason", to_string(reason)}, {"detail", detail}});
    return;
  }
  if (shard_.now() - log_second_ >= std::chrono::seconds(1)) {
    log_second_ = shard_.now();
    log_lines_ = 0;
    if (log_suppressed_ > 0) {
      log_warn("more connections closed than logged",
               {{"suppressed", std::exchange(log_suppressed_, 0)}});
    }
  }
  if (log_lines_ >= log_lines_per_second) {
    ++log_suppressed_;
    return;
  }
  ++log_lines_;
  log_warn("connection closed", {{"peer", connection.info().peer},
                                 {"listener", connection.info().listener},
                                 {"reason", to_string(reason)},
                                 {"detail", detail}});
}

}  // namespace chronik::broker
