// What the cluster port costs: two nodes over loopback, a shard each. BM_RoundTrip is one small
// message there and back, BM_Bulk messages of 64 KiB one way, with as many under way as fit into
// the queue, BM_Idle a pair that has nothing to say to each other.

#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <condition_variable>
#include <future>
#include <mutex>

#include "broker/net/test_peers.h"

namespace chronik::broker {
namespace {

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// Two nodes, of which the second sends back what it gets where `echo` is set.
class Pair {
 public:
  explicit Pair(bool echo, milliseconds heartbeat = milliseconds(100)) {
    for (NodeId node : {1, 2}) {
      PeerOptions options = test_peer_options(node);
      options.self.incarnation = test_uuid(50 + static_cast<std::uint64_t>(node));
      options.heartbeat_interval = heartbeat;
      options.listeners = {Listener{"CLUSTER", "127.0.0.1", 0}};
      PeerEvents events;
      events.frame = [this, node, echo](NodeId from, SharedBytes frame) {
        on_frame(node, echo && node == 2 ? from : -1, std::move(frame));
      };
      events.node_up = [this](NodeId) { change([this] { ++up_; }); };
      auto opened = PeerTransport::open(shard(node), options, std::move(events), Random(1));
      CHECK(opened.has_value());
      transports_.push_back(std::move(*opened));
    }
    for (NodeId node : {1, 2}) {
      const std::uint16_t port = transport(3 - node).listeners().front().port;
      call_on(shard(node), [&] { transport(node).set_others({{3 - node, "127.0.0.1", port}}); });
    }
    for (auto& transport : transports_) transport->start();
    await([this] { return up_ == 2; });
  }
  ~Pair() {
    for (auto& transport : transports_) transport->stop();
  }

  PeerTransport& transport(NodeId node) { return *transports_[static_cast<std::size_t>(node - 1)]; }
  Shard& shard(NodeId node) { return node == 1 ? one_ : two_; }
  void send(const SharedBytes& frame) {
    shard(1).post([this, frame] { transport(1).send(2, frame); });
  }
  void await_received(std::uint64_t count) {
    await([this, count] { return received_ >= count; });
  }

 private:
  void on_frame(NodeId node, NodeId back_to, SharedBytes frame) {
    if (back_to >= 0) return transport(node).send(back_to, std::move(frame));
    change([this] { ++received_; });
  }
  template <class F>
  void change(F fn) {
    std::lock_guard lock(mutex_);
    fn();
    changed_.notify_all();
  }
  template <class F>
  void await(F condition) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, condition);
  }

  SystemClock clock_;
  Shard one_{0, clock_};
  Shard two_{1, clock_};
  std::vector<std::unique_ptr<PeerTransport>> transports_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int up_ = 0;
  std::uint64_t received_ = 0;
};

void BM_RoundTrip(benchmark::State& state) {
  Pair pair(true);
  const SharedBytes frame = SharedBytes::copy_of(Bytes(100, 1));
  std::uint64_t sent = 0;
  for (auto _ : state) {
    pair.send(frame);
    pair.await_received(++sent);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_RoundTrip)->MeasureProcessCPUTime()->UseRealTime();

void BM_Bulk(benchmark::State& state) {
  Pair pair(false);
  const SharedBytes frame = SharedBytes::copy_of(Bytes(64 << 10, 1));
  constexpr std::uint64_t under_way = 128;
  std::uint64_t sent = 0;
  for (auto _ : state) {
    pair.send(frame);
    ++sent;
    if (sent > under_way) pair.await_received(sent - under_way);
  }
  pair.await_received(sent);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(frame.size()));
  state.counters["dropped"] = static_cast<double>(pair.transport(1).metrics().dropped_full.value());
}
BENCHMARK(BM_Bulk)->MeasureProcessCPUTime()->UseRealTime();

void BM_Idle(benchmark::State& state) {
  Pair pair(false);
  const PeerMetrics& metrics = pair.transport(1).metrics();
  for (auto _ : state) {
    const std::uint64_t pings = metrics.pings.value();
    const double cpu = cpu_seconds();
    constexpr int seconds = 5;
    std::promise<void> never;
    never.get_future().wait_for(std::chrono::seconds(seconds));
    // Each of the two nodes.
    state.counters["pings_per_s"] = static_cast<double>(metrics.pings.value() - pings) / seconds;
    state.counters["cpu_percent"] = (cpu_seconds() - cpu) * 100 / seconds / 2;
  }
}
BENCHMARK(BM_Idle)->Iterations(1)->UseRealTime();

}  // namespace
}  // namespace chronik::broker

BENCHMARK_MAIN();
