// The handshake of PeerTransport: who may connect, what is answered, and how long each step may
// take.
#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "broker/net/peer_transport.h"

namespace chronik::broker {

using Stage = PeerConnection::Stage;
using Ending = PeerDialer::Ending;

namespace {

// A node that is dialed has up to 2^this times as long for its answer.
constexpr int unanswered_max = 3;

}  // namespace

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
  if (connection.dialed()) {
    other.unanswered = std::max(other.unanswered - 1, 0);
  } else {
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

/// A node that has much to do, or little of the processor, takes longer for each answer, and shall
/// not begin anew again and again. One that is not there is another matter: then nothing connects.
milliseconds PeerTransport::step_max(const PeerConnection& connection) const {
  if (connection.stage() == Stage::connecting || connection.stage() == Stage::refused) {
    return options_.handshake_max;
  }
  if (!connection.dialed()) return 4 * options_.handshake_max;
  return options_.handshake_max * (1 << others_.at(connection.node()).unanswered);
}

/// It does not come to the end of its handshake.
void PeerTransport::give_up(PeerConnection& connection) {
  if (connection.stage() == Stage::greeting && !connection.dialed()) {
    metrics_.refusals.add();
    if (may_log(host_of(connection.address()), to_string(PeerRefusal::too_slow))) {
      log_warn("a connection to the cluster port is closed: no handshake came in time",
               {{"address", connection.address()}});
    }
  }
  if (connection.dialed() && connection.stage() != Stage::refused) {
    if (connection.stage() == Stage::greeting) {
      int& unanswered = others_.at(connection.node()).unanswered;
      unanswered = std::min(unanswered + 1, unanswered_max);
    }
    log_unreachable(connection.node(), "no answer in time");
  }
  drop(connection, Ending::failed, "no answer in time");
}

}  // namespace chronik::broker
