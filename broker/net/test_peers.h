// Nodes with nothing but a cluster port, for the tests of PeerTransport: each with a shard of its
// own, on an address of 127/8 that no other program uses, so that a node finds its port free when
// it comes back.
#pragma once

#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "broker/net/peer_transport.h"
#include "broker/net/test_client.h"
#include "broker/runtime/blocking.h"

namespace chronik::broker {

inline Uuid test_uuid(std::uint64_t number) { return Uuid::from_random(number, 77); }

/// What came, as the test may look at it from its own thread.
class HeardOfPeers {
 public:
  std::vector<std::string> events;                       // "up 2", "down 2", "changed 2"
  std::vector<std::pair<NodeId, std::string>> messages;  // small ones, whole
  std::uint64_t message_bytes = 0;
  /// On the node's shard, before the test hears of it.
  std::function<void(std::string_view what, NodeId node)> on_event;

  PeerEvents hooks() {
    return {.node_up = [this](NodeId node) { add("up", node); },
            .node_down = [this](NodeId node) { add("down", node); },
            .frame = [this](NodeId from, const SharedBytes& frame) { add_message(from, frame); },
            .node_changed = [this](NodeId node) { add("changed", node); }};
  }
  /// Waits until `condition` of this object holds; false when patience runs out.
  template <class F>
  bool await(F condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::milliseconds(TestClient::patience_ms),
                             [&] { return condition(*this); });
  }
  bool await_event(const std::string& event, std::size_t times = 1) {
    return await([&](const HeardOfPeers& heard) {
      return static_cast<std::size_t>(std::ranges::count(heard.events, event)) >= times;
    });
  }
  bool await_messages(std::size_t count) {
    return await([&](const HeardOfPeers& heard) { return heard.messages.size() >= count; });
  }
  std::vector<std::pair<NodeId, std::string>> take_messages() {
    std::lock_guard lock(mutex_);
    return std::exchange(messages, {});
  }
  std::size_t count(const std::string& event) {
    std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::ranges::count(events, event));
  }

 private:
  void add(const char* what, NodeId node) {
    if (on_event) on_event(what, node);
    std::lock_guard lock(mutex_);
    events.push_back(std::string(what) + " " + std::to_string(node));
    changed_.notify_all();
  }
  void add_message(NodeId from, const SharedBytes& frame) {
    std::lock_guard lock(mutex_);
    messages.emplace_back(from,
                          as_text(frame.view().first(std::min<std::size_t>(frame.size(), 64))));
    message_bytes += frame.size();
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
};

/// Quick enough for a test, slow enough for a loaded machine.
inline PeerOptions test_peer_options(NodeId node) {
  PeerOptions options;
  options.self.node = node;
  options.self.cluster_id = test_uuid(1);
  options.self.directory = test_uuid(100 + static_cast<std::uint64_t>(node));
  options.self.frame_bytes_max = 1 << 20;
  options.heartbeat_interval = milliseconds(50);
  options.silence_max = milliseconds(5000);
  options.handshake_max = milliseconds(5000);
  options.backoff_min = milliseconds(5);
  options.backoff_max = milliseconds(50);
  return options;
}

class TestPeer {
 public:
  explicit TestPeer(PeerOptions options)
      : options_(std::move(options)),
        shard_(static_cast<std::uint32_t>(options_.self.node), clock_) {
    static std::atomic<int> next{1};
    const int mine = next++;
    const int pid = ::getpid();
    host_ = fmt::format("127.{}.{}.{}", 1 + (pid >> 8) % 250, pid % 256, 1 + mine % 250);
    open();
  }
  ~TestPeer() { stop(); }

  PeerAddress address() const { return {options_.self.node, host_, port_}; }
  const char* host() const { return host_.c_str(); }
  std::uint16_t port() const { return port_; }

  void know(const std::vector<PeerAddress>& others) {
    options_.others = others;
    call_on(shard_, [&] { transport_->set_others(others); });
  }
  void start() { transport_->start(); }
  void stop() {
    if (transport_) transport_->stop();
    transport_.reset();
  }
  /// A new process on the same directory and address.
  void restart() {
    stop();
    open();
    start();
  }

  void send(NodeId to, std::string_view text) {
    call_on(shard_, [&] { transport_->send(to, SharedBytes::copy_of(as_bytes(text))); });
  }
  template <class F>
  auto on_shard(F fn) {
    return call_on(shard_, fn);
  }
  bool is_up(NodeId node) {
    return call_on(shard_, [&] { return transport_->is_up(node); });
  }
  PeerTransport& transport() { return *transport_; }
  const PeerMetrics& metrics() const { return transport_->metrics(); }
  PeerOptions& options() { return options_; }
  Shard& shard() { return shard_; }
  TestClient connect() { return TestClient(port_, 0, host()); }

  HeardOfPeers heard;

 private:
  void open() {
    static std::atomic<std::uint64_t> incarnation{1000};
    options_.self.incarnation = test_uuid(++incarnation);
    options_.listeners = {Listener{"CLUSTER", host_, port_}};
    auto opened = PeerTransport::open(shard_, options_, heard.hooks(), Random(incarnation));
    CHECK_MSG(opened.has_value(), opened.error().message);
    transport_ = std::move(*opened);
    port_ = transport_->listeners().front().port;
  }

  PeerOptions options_;
  SystemClock clock_;
  Shard shard_;
  std::string host_;
  std::uint16_t port_ = 0;
  std::unique_ptr<PeerTransport> transport_;
};

/// Nodes 1 to `count` that know each other, not started.
class TestPeers {
 public:
  explicit TestPeers(NodeId count) {
    for (NodeId node = 1; node <= count; ++node) {
      peers_.push_back(std::make_unique<TestPeer>(test_peer_options(node)));
    }
    introduce();
  }
  template <class Change>
  TestPeers(NodeId count, Change change) {
    for (NodeId node = 1; node <= count; ++node) {
      PeerOptions options = test_peer_options(node);
      change(options);
      peers_.push_back(std::make_unique<TestPeer>(std::move(options)));
    }
    introduce();
  }

  TestPeer& operator[](NodeId node) { return *peers_[static_cast<std::size_t>(node - 1)]; }
  void start_all() {
    for (auto& peer : peers_) peer->start();
  }
  /// Whether every node has come to have every other one up.
  bool await_all_up() {
    for (auto& peer : peers_) {
      for (auto& other : peers_) {
        const std::string up = "up " + std::to_string(other->address().node);
        if (peer != other && !peer->heard.await_event(up)) return false;
      }
    }
    return true;
  }

 private:
  void introduce() {
    for (auto& peer : peers_) {
      std::vector<PeerAddress> others;
      for (auto& other : peers_) {
        if (peer != other) others.push_back(other->address());
      }
      peer->know(others);
    }
  }

  std::vector<std::unique_ptr<TestPeer>> peers_;
};

/// Waits until a counter, written by a shard, is at least `value`.
inline bool await_counter(const Counter& counter, std::uint64_t value) {
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(TestClient::patience_ms);
  while (counter.value() < value) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

/// A frame as it goes over the wire.
inline Bytes peer_frame_bytes(PeerFrameKind kind, ByteView payload) {
  const auto head = peer_frame_head(kind, payload);
  Bytes bytes(head.begin(), head.end());
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  return bytes;
}

}  // namespace chronik::broker
