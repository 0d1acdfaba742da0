// PeerTransport: the cluster port: the connections between this node and the others, as
// raft::Transport sees them. Each node dials every other one and sends what it has to say on that
// connection; what others say comes on those it accepted. Lives on one shard and serves that shard;
// nothing is shared with another transport of the process.
//
// A node is up while both connections stand: after their handshakes (peer_handshake.h), until the
// first of them ends. The end of a process ends them at once; a node that is paused or cut off is
// noticed when nothing has come for silence_max, since every connection carries a ping where it
// would be silent for heartbeat_interval. A ping that is due about when something else comes or
// leaves goes with it, since what idle nodes cost is their wake-ups.
//
// Bounded, whatever peers do: strangers_max connections without a handshake, of which the oldest
// goes when one more comes, with 64 KiB each; two connections for each node of the list, which hold
// one frame that arrives; queued_bytes_max to be sent to each node. What does not fit is dropped
// and counted. A refusal is logged once for each peer and reason.
#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "broker/net/acceptor.h"
#include "broker/net/admission.h"
#include "broker/net/peer_connection.h"
#include "broker/net/peer_dialer.h"
#include "broker/net/peer_log.h"
#include "broker/runtime/task.h"
#include "broker/settings/settings.h"
#include "raft/multi/transport.h"

namespace chronik::broker {

struct PeerOptions {
  /// Who this node is. cluster_id is zero and founders are empty until they are known
  /// (set_identity); `meant` and the versions are filled in.
  PeerHello self;
  std::vector<PeerAddress> others;
  std::vector<Listener> listeners;
  milliseconds heartbeat_interval{100};
  milliseconds silence_max{1000};
  /// For each step of the handshake. Twice as long, and up to eight times, for a node that was
  /// dialed and did not answer in time before; four times as long for those that dial this one.
  milliseconds handshake_max{1000};
  milliseconds backoff_min{50};
  milliseconds backoff_max{1000};
  std::uint64_t queued_bytes_max = 64u << 20;  // of each other node
  std::size_t strangers_max = 64;
};

/// What the transport tells, on its shard, within a turn. None may stop it or change its list.
struct PeerEvents {
  std::function<void(NodeId)> node_up;
  std::function<void(NodeId)> node_down;
  /// A frame of `from`, whole and undamaged. A small one is a slice of a block of 128 KiB that it
  /// shares with others: copy what is kept for long.
  std::function<void(NodeId from, SharedBytes frame)> frame;
  /// hello_of() of a node that is up is another one than before.
  std::function<void(NodeId)> node_changed;
  /// This node and the one that was dialed do not fit, as one of them has told the other.
  std::function<void(NodeId, const PeerObjection&)> refused = {};
};

/// Only grow; any thread reads them.
struct PeerMetrics {
  Counter dials;
  Counter accepted;
  Counter established;
  Counter refusals;           // of others by this node
  Counter refused_by_others;  // and the other way round
  Counter lines;              // logged about peers
  Counter silent;             // connections that were closed for their silence
  Counter messages_sent;
  Counter messages_received;
  Counter dropped_full;  // messages for a node whose queue was full
  Counter dropped_down;  // for a node without a connection, or longer than it takes
  Counter pings;
  Counter beats;
};

class PeerTransport final : public raft::Transport, private PeerConnection::Owner, private TurnEnd {
 public:
  /// Binds and listens, on the main thread; others that connect wait until start(). Errors: of
  /// Acceptor::open.
  static Result<std::unique_ptr<PeerTransport>> open(Shard& shard, PeerOptions options,
                                                     PeerEvents events, Random random);
  PeerTransport(Shard& shard, PeerOptions options, PeerEvents events, Random random);
  PeerTransport(const PeerTransport&) = delete;
  PeerTransport& operator=(const PeerTransport&) = delete;
  /// Stops, when that was not done.
  ~PeerTransport() override;

  /// With the ports that were bound.
  const std::vector<Listener>& listeners() const { return listeners_; }
  /// Accepts and dials. Main thread, once.
  void start();
  /// Ends all connections; no event comes any more when it returns. Main thread. Idempotent.
  void stop();
  /// Any thread.
  const PeerMetrics& metrics() const { return metrics_; }
  const PeerTraffic& traffic() const { return traffic_; }

  // From here on: on the shard, within a turn.

  /// Leaves at the end of the turn. Dropped and counted when the node is not connected, when its
  /// queue is full, or when it takes no frame of that length.
  void send(NodeId to, ByteChain frame) override;

  /// The other nodes from here on; those that are left out are disconnected.
  void set_others(std::vector<PeerAddress> others);
  /// What this node has learned or decided about its cluster; all partners are told, and those that
  /// do not fit are disconnected. A cluster id that is known never changes.
  void set_identity(const Uuid& cluster_id, std::vector<Founder> founders, const Uuid& proposal);
  const PeerHello& self() const { return options_.self; }

  bool is_up(NodeId node) const;
  /// What the node last said of itself; nothing when it is not up.
  std::optional<PeerHello> hello_of(NodeId node) const;
  /// Bytes that wait to be sent to it.
  std::uint64_t queued_bytes(NodeId node) const;

 private:
  /// One other node.
  struct Other {
    std::unique_ptr<PeerDialer> dialer;
    std::unique_ptr<PeerConnection> dialed;
    std::unique_ptr<PeerConnection> accepted;  // established
    int unanswered = 0;                        // greetings, one after the other
    bool up = false;
  };

  void start_on_shard();
  Task<void> close_all();
  void add_other(PeerAddress address);
  void remove_other(NodeId node);
  std::unique_ptr<PeerConnection> new_connection(NodeId dialed, std::string address);
  void on_accepted(int fd, const ConnectionInfo& info);
  void on_dialing(NodeId node, int fd, std::string address);

  // PeerConnection::Owner
  void on_connected(PeerConnection& connection) override;
  void on_frame(PeerConnection& connection, PeerFrame frame) override;
  void on_bad_frame(PeerConnection& connection, PeerRefusal refusal) override;
  void on_lost(PeerConnection& connection, std::string_view why) override;
  void mark(PeerConnection& connection) override;
  void on_turn_end() override;

  // The handshake.
  void on_hello(PeerConnection& connection, ByteView payload);
  std::optional<PeerObjection> judge(const PeerConnection& connection, HelloStatus status,
                                     const PeerHello& theirs);
  bool speaks_for_another(PeerConnection* connection, const PeerHello& theirs);
  void say_hello(PeerConnection& connection);
  void establish(PeerConnection& connection);
  void on_refusal(PeerConnection& connection, ByteView payload);
  void refuse(PeerConnection& connection, const PeerObjection& objection);

  // Connections and their ends.
  void drop(PeerConnection& connection, PeerDialer::Ending ending, std::string_view why);
  void retire(PeerConnection& connection, PeerDialer::Ending ending, std::string_view why);
  /// Out of where it is owned; its dialer is told how it ended.
  std::unique_ptr<PeerConnection> detach(PeerConnection& connection, PeerDialer::Ending ending);
  void add_stranger(std::unique_ptr<PeerConnection> connection);
  void update_up(NodeId node, std::string_view why);
  void on_beat();
  /// How much earlier or later than due a beat may be.
  milliseconds beat_slack() const { return options_.heartbeat_interval / 8; }
  void beat(PeerConnection& connection);
  milliseconds step_max(const PeerConnection& connection) const;
  void give_up(PeerConnection& connection);
  std::vector<PeerConnection*> connections() const;
  bool all_finished() const;
  PeerDialer::Ending ending_of(const PeerConnection& connection) const;

  bool may_log(std::string_view peer, std::string_view reason);
  void log_unreachable(NodeId node, std::string_view why);

  Shard& shard_;
  PeerOptions options_;
  const PeerEvents events_;
  Random random_;
  Admission admission_;
  PeerTraffic traffic_;
  PeerMetrics metrics_;
  PeerLog log_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  std::vector<Listener> listeners_;
  std::unique_ptr<PeerResolver> resolver_;
  std::map<NodeId, Other> others_;
  std::list<std::unique_ptr<PeerConnection>> strangers_;  // accepted, no handshake; oldest first
  std::vector<std::unique_ptr<PeerConnection>> ended_;    // closed, not yet finished
  std::vector<PeerConnection*> marked_;
  Timer beat_timer_;
  bool started_ = false;
  bool closing_ = false;
  bool stopped_ = false;
};

}  // namespace chronik::broker
