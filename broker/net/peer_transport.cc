#include "broker/net/peer_transport.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "broker/runtime/blocking.h"

namespace chronik::broker {

using Stage = PeerConnection::Stage;
using Ending = PeerDialer::Ending;

namespace {

// What waits to be accepted: more than a cluster has nodes.
constexpr int backlog = 128;

NetOptions acceptor_options() {
  NetOptions options;
  options.listen_backlog = backlog;
  options.listen_backlog_min = backlog;
  options.listeners_setting = "cluster.listeners";
  return options;
}

}  // namespace

Result<std::unique_ptr<PeerTransport>> PeerTransport::open(Shard& shard, PeerOptions options,
                                                           PeerEvents events, Random random) {
  auto transport =
      std::make_unique<PeerTransport>(shard, std::move(options), std::move(events), random);
  for (const Listener& listener : transport->options_.listeners) {
    auto accept = [self = transport.get()](int fd, const ConnectionInfo& info, Admission::Ticket) {
      self->on_accepted(fd, info);
    };
    TRY_ASSIGN(auto acceptor, Acceptor::open(shard, listener, transport->admission_,
                                             acceptor_options(), std::move(accept)));
    transport->listeners_.push_back(acceptor->listener());
    transport->acceptors_.push_back(std::move(acceptor));
  }
  return transport;
}

PeerTransport::PeerTransport(Shard& shard, PeerOptions options, PeerEvents events, Random random)
    : shard_(shard),
      options_(std::move(options)),
      events_(std::move(events)),
      random_(random),
      admission_(1, {}),
      beat_timer_(shard.timers(), [this] { on_beat(); }) {
  CHECK(options_.self.frame_bytes_max > 0 && !options_.self.incarnation.is_zero());
}

PeerTransport::~PeerTransport() { stop(); }

void PeerTransport::start() {
  CHECK(!std::exchange(started_, true));
  call_on(shard_, [this] {
    resolver_ = std::make_unique<PeerResolver>(shard_);
    for (auto& acceptor : acceptors_) acceptor->start();
    for (const PeerAddress& address : options_.others) add_other(address);
  });
}

void PeerTransport::stop() {
  if (std::exchange(stopped_, true)) return;
  if (started_) call_on(shard_, [this] { return close_all(); });
  call_on(shard_, [this] {
    acceptors_.clear();
    others_.clear();
    ended_.clear();
    resolver_.reset();
    shard_.forget_turn_end(*this);
  });
}

Task<void> PeerTransport::close_all() {
  closing_ = true;
  beat_timer_.cancel();
  for (auto& acceptor : acceptors_) acceptor->close();
  for (auto& [node, other] : others_) other.dialer->stop();
  for (PeerConnection* connection : connections()) {
    drop(*connection, Ending::failed, "this node stops");
  }
  // The event loop gives back what it waited for, which takes a turn or two.
  while (!all_finished()) {
    Task<void> pause = delay(milliseconds(1));
    co_await std::move(pause);
  }
}

bool PeerTransport::all_finished() const {
  return std::ranges::all_of(acceptors_, [](auto& acceptor) { return acceptor->finished(); }) &&
         std::ranges::all_of(ended_, [](auto& connection) { return connection->finished(); });
}

void PeerTransport::send(NodeId to, ByteChain frame) {
  CHECK(shard_.is_current());
  const auto other = others_.find(to);
  PeerConnection* const connection = other != others_.end() ? other->second.dialed.get() : nullptr;
  if (!established(connection)) {
    metrics_.dropped_down.add();
    return;
  }
  const std::size_t bytes = frame.size();
  if (bytes > static_cast<std::size_t>(connection->hello().frame_bytes_max)) {
    metrics_.dropped_down.add();
    if (may_log(node_name(to), "too long")) {
      log_warn("a message is longer than the other node takes; set cluster.frame.bytes.max alike",
               {{"node", to}, {"bytes", bytes}, {"max", connection->hello().frame_bytes_max}});
    }
    return;
  }
  if (connection->send(PeerFrameKind::message, frame, options_.queued_bytes_max)) {
    metrics_.messages_sent.add();
    return;
  }
  metrics_.dropped_full.add();
  if (may_log(node_name(to), "queue full")) {
    log_warn("messages to a node are dropped, since it takes them too slowly",
             {{"node", to}, {"queued_bytes", connection->queued_bytes()}});
  }
}

void PeerTransport::set_others(std::vector<PeerAddress> others) {
  CHECK(shard_.is_current());
  if (!started_ || closing_) {
    options_.others = std::move(others);
    return;
  }
  for (const PeerAddress& before : options_.others) {
    if (std::ranges::find(others, before) == others.end()) remove_other(before.node);
  }
  options_.others = std::move(others);
  for (const PeerAddress& address : options_.others) {
    if (!others_.contains(address.node)) add_other(address);
  }
}

void PeerTransport::set_identity(const Uuid& cluster_id, std::vector<Founder> founders,
                                 const Uuid& proposal) {
  CHECK(shard_.is_current());
  PeerHello& self = options_.self;
  CHECK(self.cluster_id.is_zero() || self.cluster_id == cluster_id);
  CHECK(self.founders.empty() || self.founders == founders);
  self.cluster_id = cluster_id;
  self.founders = std::move(founders);
  self.proposal = proposal;
  for (PeerConnection* connection : connections()) {
    // An earlier one may have taken its place from this one.
    if (connection->closed()) continue;
    const Stage stage = connection->stage();
    if (stage == Stage::established || stage == Stage::answered) {
      if (const auto objection = judge(*connection, HelloStatus::ok, connection->hello())) {
        refuse(*connection, *objection);
        continue;
      }
    } else if (stage != Stage::greeting || !connection->dialed()) {
      continue;
    }
    say_hello(*connection);
  }
}

bool PeerTransport::is_up(NodeId node) const {
  const auto other = others_.find(node);
  return other != others_.end() && other->second.up;
}

std::optional<PeerHello> PeerTransport::hello_of(NodeId node) const {
  if (!is_up(node)) return std::nullopt;
  return others_.at(node).dialed->hello();
}

std::uint64_t PeerTransport::queued_bytes(NodeId node) const {
  const auto other = others_.find(node);
  if (other == others_.end() || !other->second.dialed) return 0;
  return other->second.dialed->queued_bytes();
}

// Where connections come from.

void PeerTransport::add_other(PeerAddress address) {
  const NodeId node = address.node;
  CHECK(node != options_.self.node && !others_.contains(node));
  others_[node].dialer = std::make_unique<PeerDialer>(
      shard_, *resolver_, random_, std::move(address),
      PeerBackoff(options_.backoff_min, options_.backoff_max),
      [this, node](int fd, std::string to) { on_dialing(node, fd, std::move(to)); },
      [this, node](const std::string& why) {
        metrics_.dials.add();
        log_unreachable(node, why);
      });
}

void PeerTransport::remove_other(NodeId node) {
  Other& other = others_.at(node);
  other.dialer->stop();
  for (PeerConnection* connection : {other.dialed.get(), other.accepted.get()}) {
    if (connection != nullptr) drop(*connection, Ending::failed, "it is not in the list any more");
  }
  others_.erase(node);
}

std::unique_ptr<PeerConnection> PeerTransport::new_connection(NodeId dialed, std::string address) {
  Owner& owner = *this;
  return std::make_unique<PeerConnection>(shard_, traffic_, owner, dialed, std::move(address));
}

void PeerTransport::on_accepted(int fd, const ConnectionInfo& info) {
  if (closing_) {
    ::close(fd);
    return;
  }
  metrics_.accepted.add();
  auto connection = new_connection(-1, info.peer);
  PeerConnection& added = *connection;
  add_stranger(std::move(connection));
  added.start(fd);
}

void PeerTransport::add_stranger(std::unique_ptr<PeerConnection> connection) {
  while (strangers_.size() >= options_.strangers_max) {
    drop(*strangers_.front(), Ending::failed, "others want its place");
  }
  strangers_.push_back(std::move(connection));
  mark(*strangers_.back());
}

void PeerTransport::on_dialing(NodeId node, int fd, std::string address) {
  metrics_.dials.add();
  Other& other = others_.at(node);
  CHECK(!other.dialed);
  other.dialed = new_connection(node, std::move(address));
  mark(*other.dialed);
  other.dialed->start(fd);
}

// The ends of connections.

Ending PeerTransport::ending_of(const PeerConnection& connection) const {
  const bool lasted = connection.stage() == Stage::established &&
                      shard_.now() - connection.began_at() >= options_.silence_max;
  return lasted ? Ending::lasted : Ending::failed;
}

void PeerTransport::on_lost(PeerConnection& connection, std::string_view why) {
  if (connection.dialed() && connection.stage() < Stage::established) {
    log_unreachable(connection.node(), why);
  }
  drop(connection, ending_of(connection), why);
}

void PeerTransport::drop(PeerConnection& connection, Ending ending, std::string_view why) {
  const NodeId node = connection.node();
  std::unique_ptr<PeerConnection> own = detach(connection, ending);
  own->close();
  ended_.push_back(std::move(own));
  update_up(node, why);
}

/// It says its refusal and is then closed; its place is free at once.
void PeerTransport::retire(PeerConnection& connection, Ending ending, std::string_view why) {
  const NodeId node = connection.node();
  std::unique_ptr<PeerConnection> own = detach(connection, ending);
  if (own->closed()) {
    ended_.push_back(std::move(own));
  } else {
    add_stranger(std::move(own));
  }
  update_up(node, why);
}

std::unique_ptr<PeerConnection> PeerTransport::detach(PeerConnection& connection, Ending ending) {
  for (auto& [node, other] : others_) {
    if (other.accepted.get() == &connection) return std::move(other.accepted);
    if (other.dialed.get() != &connection) continue;
    other.dialer->ended(ending);
    return std::move(other.dialed);
  }
  const auto place = std::ranges::find_if(
      strangers_, [&](auto& stranger) { return stranger.get() == &connection; });
  CHECK(place != strangers_.end());
  std::unique_ptr<PeerConnection> own = std::move(*place);
  strangers_.erase(place);
  return own;
}

void PeerTransport::update_up(NodeId node, std::string_view why) {
  const auto found = others_.find(node);
  if (found == others_.end() || closing_) return;
  Other& other = found->second;
  const bool up = established(other.dialed.get()) && established(other.accepted.get());
  if (up == other.up) return;
  other.up = up;
  const bool may_say = log_.admit_news(shard_.now());
  if (may_say) metrics_.lines.add();
  if (up) {
    if (may_say) {
      log_info("node is connected",
               {{"node", node}, {"address", to_text(other.dialer->address())}});
    }
    if (events_.node_up) events_.node_up(node);
  } else {
    if (may_say) log_warn("node is not connected any more", {{"node", node}, {"why", why}});
    if (events_.node_down) events_.node_down(node);
  }
}

std::vector<PeerConnection*> PeerTransport::connections() const {
  std::vector<PeerConnection*> all;
  for (const auto& [node, other] : others_) {
    if (other.dialed) all.push_back(other.dialed.get());
    if (other.accepted) all.push_back(other.accepted.get());
  }
  for (const auto& stranger : strangers_) all.push_back(stranger.get());
  return all;
}

void PeerTransport::on_beat() {
  metrics_.beats.add();
  for (PeerConnection* connection : connections()) {
    if (!connection->closed()) beat(*connection);
  }
  shard_.at_turn_end(*this);  // where the next one is arranged
}

void PeerTransport::beat(PeerConnection& connection) {
  const SteadyTime now = shard_.now();
  if (connection.stage() != Stage::established) {
    const milliseconds step_max = this->step_max(connection);
    if (now - connection.stage_since() >= step_max) connection.look();
    if (connection.closed() || now - connection.stage_since() < step_max) return;
    return give_up(connection);
  }
  // Where this thread was kept from its work, what the other node said lies unread.
  if (now - connection.heard_at() >= options_.silence_max) connection.look();
  if (connection.closed()) return;
  const auto silence = std::chrono::duration_cast<milliseconds>(now - connection.heard_at());
  if (silence >= options_.silence_max) {
    metrics_.silent.add();
    return drop(connection, Ending::lasted, fmt::format("nothing came for {} ms", silence.count()));
  }
  if (!connection.take_spoke() && connection.queued_bytes() == 0) {
    connection.send(PeerFrameKind::ping, {}, options_.queued_bytes_max);
    connection.take_spoke();
    metrics_.pings.add();
  }
}

// Turns.

void PeerTransport::mark(PeerConnection& connection) {
  if (std::ranges::find(marked_, &connection) == marked_.end()) marked_.push_back(&connection);
  shard_.at_turn_end(*this);
}

void PeerTransport::on_turn_end() {
  const bool awake = !marked_.empty() && beat_timer_.armed();
  if (awake && beat_timer_.deadline() - shard_.now() <= 2 * beat_slack()) {
    beat_timer_.cancel();
    on_beat();
  }
  for (PeerConnection* connection : std::exchange(marked_, {})) connection->settle();
  std::erase_if(ended_, [this](auto& connection) {
    if (!connection->finished()) return false;
    std::erase(marked_, connection.get());
    return true;
  });
  if (!closing_ && !beat_timer_.armed() && !connections().empty()) {
    beat_timer_.arm_at(shard_.now() + options_.heartbeat_interval + beat_slack());
  }
}

// Words.

bool PeerTransport::may_log(std::string_view peer, std::string_view reason) {
  if (!log_.admit(peer, reason, shard_.now())) return false;
  metrics_.lines.add();
  return true;
}

void PeerTransport::log_unreachable(NodeId node, std::string_view why) {
  if (closing_ || !may_log(node_name(node), "unreachable")) return;
  log_warn(
      "a node cannot be reached; this goes on until it can",
      {{"node", node}, {"address", to_text(others_.at(node).dialer->address())}, {"why", why}});
}

}  // namespace chronik::broker
