// What a request costs in the network and dispatch alone: one shard, one client over loopback, a
// handler that answers at once. BM_RoundTrip is one request at a time, BM_Pipelined a thousand in
// one write, BM_Bulk produce requests of 1 MB, BM_Idle the memory of connections that do nothing.

#include <benchmark/benchmark.h>

#include <fstream>

#include "broker/net/test_server.h"

namespace chronik::broker {
namespace {

std::size_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  file >> total >> resident;
  return resident * 4096;
}

void BM_RoundTrip(benchmark::State& state) {
  TestServer server;
  TestClient client = server.connect();
  const Bytes frame = heartbeat_frame(1);
  for (auto _ : state) {
    client.send(frame);
    benchmark::DoNotOptimize(client.receive_frame());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_RoundTrip)->MeasureProcessCPUTime()->UseRealTime();

void BM_Pipelined(benchmark::State& state) {
  TestServer server;
  TestClient client = server.connect();
  constexpr int count = 1000;
  Bytes all;
  for (int i = 0; i < count; ++i) {
    const Bytes frame = produce_frame(i, i, -1, 100);
    all.insert(all.end(), frame.begin(), frame.end());
  }
  Bytes responses(count * (produce_frame(1, 1).size()));
  for (auto _ : state) {
    client.send(all);
    // A response of produce v3 without topics: 4 + 4 + 4 + 4 bytes.
    std::size_t left = count * 16;
    while (left > 0) {
      const ssize_t got = ::recv(client.fd(), responses.data(), responses.size(), 0);
      if (got <= 0) return state.SkipWithError("closed");
      left -= static_cast<std::size_t>(got);
    }
  }
  state.SetItemsProcessed(state.iterations() * count);
}
BENCHMARK(BM_Pipelined)->MeasureProcessCPUTime()->UseRealTime();

void BM_Bulk(benchmark::State& state) {
  TestServer server;
  TestClient client = server.connect();
  const Bytes frame = produce_frame(1, 1, -1, 1'000'000);
  for (auto _ : state) {
    client.send(frame);
    benchmark::DoNotOptimize(client.receive_frame());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(frame.size()));
}
BENCHMARK(BM_Bulk)->MeasureProcessCPUTime()->UseRealTime();

void BM_Idle(benchmark::State& state) {
  TestServer server;
  const auto count = static_cast<std::size_t>(state.range(0));
  for (auto _ : state) {
    std::vector<TestClient> clients;
    clients.reserve(count);
    const std::size_t before = resident_bytes();
    for (std::size_t i = 0; i < count; ++i) {
      clients.push_back(server.connect());
      clients.back().send(heartbeat_frame(1));
      benchmark::DoNotOptimize(clients.back().receive_frame());
    }
    // Both ends are in this process; the client's end is small.
    state.counters["bytes_each"] =
        static_cast<double>(resident_bytes() - before) / static_cast<double>(count);
  }
}
BENCHMARK(BM_Idle)->Arg(1000)->Iterations(1);

}  // namespace
}  // namespace chronik::broker

BENCHMARK_MAIN();
