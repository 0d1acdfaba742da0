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

std::string node_name(NodeId node) { return fmt::format("node {}", node); }

/// Of host:port.
std::string_view host_of(std::string_view address) { return address.substr(0, address.rfind(':')); }

bool established(const PeerConnection* connection) {
  return connection != nullptr && !connection->closed() &&
         connection->stage() == Stage::established;
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

// The handshake.

void PeerTransport::on_connected(PeerConnection& connection) { say_hello(connection); }

void PeerTransport::say_hello(PeerConnection& connection) {
  PeerHello hello = options_.self;
  hello.meant = connection.node();
  connection.send(PeerFrameKind::hello, SharedBytes::adopt(encode_hello(hello)),
                  options_.queued_bytes_max);
}

void PeerTransport::on_frame(PeerConnection& connection, PeerFrame frame) {
  const Stage stage = connection.stage();
  switch (frame.kind) {
    case PeerFrameKind::hello:
      return on_hello(connection, frame.payload.view());
    case PeerFrameKind::refusal:
      return on_refusal(connection, frame.payload.view());
    case PeerFrameKind::ping:
      if (stage == Stage::established) return;
      if (stage == Stage::answered) return establish(connection);
      break;
    case PeerFrameKind::message:
      if (stage != Stage::established || connection.dialed()) break;
      metrics_.messages_received.add();
      if (events_.frame) events_.frame(connection.node(), std::move(frame.payload));
      return;
  }
  on_bad_frame(connection, PeerRefusal::unexpected);
}

void PeerTransport::on_hello(PeerConnection& connection, ByteView payload) {
  PeerHello theirs;
  const HelloStatus status = decode_hello(payload, theirs);
  const Stage stage = connection.stage();
  if (stage != Stage::greeting && theirs.incarnation != connection.hello().incarnation) {
    return on_bad_frame(connection, PeerRefusal::unexpected);
  }
  const std::optional<PeerObjection> objection = judge(connection, status, theirs);
  if (connection.closed()) return;
  if (objection) {
    // Others' programs get no answer.
    if (status != HelloStatus::not_a_node) return refuse(connection, *objection);
    return on_bad_frame(connection, PeerRefusal::not_a_node);
  }
  const NodeId node = theirs.node;
  connection.set_hello(std::move(theirs));
  if (stage != Stage::greeting) {
    if (is_up(node) && connection.dialed() && events_.node_changed) events_.node_changed(node);
    return;
  }
  if (!connection.dialed()) {
    connection.set_stage(Stage::answered);
    say_hello(connection);
    // It is there: no need to wait any longer before we dial it.
    others_.at(node).dialer->dial_soon();
    return;
  }
  connection.send(PeerFrameKind::ping, {}, options_.queued_bytes_max);
  establish(connection);
}

std::optional<PeerObjection> PeerTransport::judge(const PeerConnection& connection,
                                                  HelloStatus status, const PeerHello& theirs) {
  const auto dialed = connection.dialed() ? std::optional(connection.node()) : std::nullopt;
  if (auto objection = object_to(options_.self, status, theirs, dialed)) return objection;
  const auto other = others_.find(theirs.node);
  if (other == others_.end()) {
    return PeerObjection{
        PeerRefusal::unknown_node,
        fmt::format("node {} does not know node {}: put it into cluster.nodes on all nodes",
                    options_.self.node, theirs.node)};
  }
  if (speaks_for_another(other->second.dialed.get(), theirs) ||
      speaks_for_another(other->second.accepted.get(), theirs)) {
    return PeerObjection{
        PeerRefusal::number_in_use,
        fmt::format("node {} is connected with another process that has node.id={}: each node "
                    "needs its own",
                    options_.self.node, theirs.node)};
  }
  return std::nullopt;
}

/// Whether the connection leads to another process than the one that says `theirs`, and that one
/// lives. What has come on it already may say that it does not.
bool PeerTransport::speaks_for_another(PeerConnection* connection, const PeerHello& theirs) {
  const auto another = [&] {
    return established(connection) && connection->hello().incarnation != theirs.incarnation;
  };
  if (!another()) return false;
  connection->look();
  return another() && shard_.now() - connection->heard_at() < options_.silence_max / 2;
}

void PeerTransport::establish(PeerConnection& connection) {
  const NodeId node = connection.node();
  Other& other = others_.at(node);
  // Those of an earlier life, which judge() found silent, or this life's earlier one.
  for (PeerConnection* before : {other.accepted.get(), other.dialed.get()}) {
    if (before == nullptr || before == &connection) continue;
    const bool other_life =
        established(before) && before->hello().incarnation != connection.hello().incarnation;
    if (other_life || before->dialed() == connection.dialed()) {
      drop(*before, Ending::lasted, "it has connected anew");
    }
  }
  if (!connection.dialed()) {
    const auto place = std::ranges::find_if(
        strangers_, [&](auto& stranger) { return stranger.get() == &connection; });
    other.accepted = std::move(*place);
    strangers_.erase(place);
  }
  connection.set_stage(Stage::established);
  // Messages come on accepted connections only.
  if (!connection.dialed()) connection.set_frame_bytes_max(options_.self.frame_bytes_max);
  metrics_.established.add();
  log_.forget(node_name(node));
  if (!connection.dialed()) log_.forget(host_of(connection.address()));
  update_up(node, {});
}

void PeerTransport::on_refusal(PeerConnection& connection, ByteView payload) {
  const std::optional<PeerObjection> objection = decode_refusal(payload);
  if (!objection || (connection.stage() == Stage::greeting && !connection.dialed())) {
    return on_bad_frame(connection, PeerRefusal::not_a_node);
  }
  metrics_.refused_by_others.add();
  const NodeId node = connection.node();
  if (may_log(node_name(node), fmt::format("refused: {}", to_string(objection->refusal)))) {
    log_warn("another node refuses this one", {{"node", node},
                                               {"address", connection.address()},
                                               {"reason", to_string(objection->refusal)},
                                               {"why", objection->text}});
  }
  if (connection.dialed() && events_.refused) events_.refused(node, *objection);
  drop(connection, Ending::refused, "it refuses this node");
}

void PeerTransport::refuse(PeerConnection& connection, const PeerObjection& objection) {
  metrics_.refusals.add();
  const bool known = connection.dialed() || connection.stage() == Stage::established;
  const std::string peer =
      known ? node_name(connection.node()) : std::string(host_of(connection.address()));
  if (may_log(peer, to_string(objection.refusal))) {
    log_warn("a connection between nodes is refused",
             {{"peer", peer},
              {"address", connection.address()},
              {"direction", connection.dialed() ? "dialed" : "accepted"},
              {"reason", to_string(objection.refusal)},
              {"why", objection.text}});
  }
  if (connection.dialed() && events_.refused) events_.refused(connection.node(), objection);
  connection.refuse(objection);
  retire(connection, Ending::refused, to_string(objection.refusal));
}

void PeerTransport::on_bad_frame(PeerConnection& connection, PeerRefusal refusal) {
  if (established(&connection)) {
    const bool damaged = refusal == PeerRefusal::damaged;
    return refuse(connection, {refusal, damaged ? "a message does not match its checksum"
                                                : "a message is longer than "
                                                  "cluster.frame.bytes.max, or of no known kind"});
  }
  metrics_.refusals.add();
  const std::string peer(host_of(connection.address()));
  if (may_log(peer, to_string(PeerRefusal::not_a_node))) {
    log_warn("a connection to the cluster port is closed: what came is not from a chronik node",
             {{"address", connection.address()},
              {"direction", connection.dialed() ? "dialed" : "accepted"}});
  }
  drop(connection, Ending::refused, "it is not a node");
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
    if (now - connection.began_at() < options_.handshake_max) return;
    if (connection.stage() == Stage::greeting && !connection.dialed()) {
      metrics_.refusals.add();
      if (may_log(host_of(connection.address()), to_string(PeerRefusal::too_slow))) {
        log_warn("a connection to the cluster port is closed: no handshake came in time",
                 {{"address", connection.address()}});
      }
    }
    if (connection.dialed() && connection.stage() != Stage::refused) {
      log_unreachable(connection.node(), "no answer in time");
    }
    return drop(connection, Ending::failed, "no answer in time");
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
