// PeerConnection: one TCP connection between two nodes: bytes to frames and back, and when the
// other end was last heard. What the frames mean is its owner's business (peer_transport.cc). Lives
// on one shard, owned by a PeerTransport.
//
// Bounded: what is received is at most one frame of frame_bytes_max at a time, what waits to be
// sent at most what the owner allows in send(). All bytes go through Socket, which is where TLS
// will be.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "broker/net/frame_reader.h"
#include "broker/net/output_queue.h"
#include "broker/net/peer_frame.h"
#include "broker/net/peer_handshake.h"
#include "broker/net/socket.h"
#include "broker/runtime/shard.h"

namespace chronik::broker {

/// What connections of a transport share, and what is counted of them; counters for any thread.
struct PeerTraffic {
  BufferPool pool{8u << 20};
  ReceiveSlab slab{pool};
  Counter bytes_received;
  Counter bytes_sent;
  Counter sends;  // system calls
};

class PeerConnection {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    /// A dialed connection stands.
    virtual void on_connected(PeerConnection& connection) = 0;
    virtual void on_frame(PeerConnection& connection, PeerFrame frame) = 0;
    /// What came is no frame (refusal says how); the owner closes.
    virtual void on_bad_frame(PeerConnection& connection, PeerRefusal refusal) = 0;
    /// It ended by itself or by the other end. Not called after close().
    virtual void on_lost(PeerConnection& connection, std::string_view why) = 0;
    /// Call settle() at the end of the turn.
    virtual void mark(PeerConnection& connection) = 0;
  };

  enum class Stage : std::uint8_t {
    connecting,   // dialed
    greeting,     // no hello of the other node yet
    answered,     // accepted; our hello is out, the other node has not confirmed
    established,  // a connection between nodes
    refused,      // our refusal is out; what comes is thrown away
  };

  /// `node` is who was dialed, or -1.
  PeerConnection(Shard& shard, PeerTraffic& traffic, Owner& owner, NodeId node,
                 std::string address);
  PeerConnection(const PeerConnection&) = delete;
  PeerConnection& operator=(const PeerConnection&) = delete;
  ~PeerConnection();

  bool dialed() const { return dialed_; }
  const std::string& address() const { return address_; }
  Stage stage() const { return stage_; }
  /// Who the other end is: as dialed, or as its hello said.
  NodeId node() const { return node_; }
  const PeerHello& hello() const { return hello_; }
  /// When a byte came last; the beginning, before the first.
  SteadyTime heard_at() const { return heard_at_; }
  SteadyTime began_at() const { return began_at_; }
  /// When it came to its stage.
  SteadyTime stage_since() const { return stage_since_; }

  void set_stage(Stage stage) {
    stage_ = stage;
    stage_since_ = shard_.now();
  }
  void set_hello(PeerHello hello) {
    node_ = hello.node;
    hello_ = std::move(hello);
  }
  void set_frame_bytes_max(std::int32_t max) { frame_bytes_max_ = max; }

  /// Takes `fd`, non-blocking: accepted, or one whose connect is under way. Within a turn.
  void start(int fd);
  /// Queues a frame; false, without effect, when more than `queued_bytes_max` would wait. It leaves
  /// at the end of the turn, with all others of it.
  bool send(PeerFrameKind kind, const ByteChain& payload, std::uint64_t queued_bytes_max);
  std::uint64_t queued_bytes() const { return output_.size(); }
  /// Whether a frame was queued since this was last asked.
  bool take_spoke() { return std::exchange(spoke_, false); }
  /// Reads what has come already, or sees that it stands, without waiting to be told of it.
  void look();
  /// Sends the refusal and nothing more; reads on, to let it arrive.
  void refuse(const PeerObjection& objection);
  /// At once. Idempotent.
  void close();

  /// For the owner: at the end of a turn.
  void settle();
  bool closed() const { return closed_; }
  /// Closed, and nothing refers to it any more.
  bool finished() const { return closed_ && !reading_ && !writing_; }

 private:
  void wait_readable();
  void wait_writable();
  void on_readable(bool ready);
  void on_writable(bool ready);
  void connected();
  void receive();
  void discard();
  bool received(const Transfer& got);
  void take_frames();
  void take_frame(const SharedBytes& frame);
  void flush();
  void lose(std::string_view why);

  Shard& shard_;
  PeerTraffic& traffic_;
  Owner& owner_;
  const bool dialed_;
  NodeId node_;
  const std::string address_;
  Stage stage_;
  PeerHello hello_;
  SteadyTime began_at_;
  SteadyTime stage_since_;
  SteadyTime heard_at_;
  std::int32_t frame_bytes_max_ = peer_stranger_bytes_max;
  Socket socket_;
  FrameReader reader_;
  OutputQueue output_;
  bool spoke_ = false;
  bool reading_ = false;  // a wait is under way
  bool writing_ = false;
  bool receiving_ = false;  // frames are being taken
  bool closed_ = false;
};

/// Whether there is one, between nodes.
inline bool established(const PeerConnection* connection) {
  return connection != nullptr && !connection->closed() &&
         connection->stage() == PeerConnection::Stage::established;
}

}  // namespace chronik::broker
