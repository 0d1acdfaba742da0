// The metadata store on a real disk (below the current directory): creating and starting with ten
// thousand topics, and commits through the log, each made durable.
#include <benchmark/benchmark.h>

#include <filesystem>

#include "base/clock.h"
#include "base/log.h"
#include "base/posix_disk.h"
#include "metadata/event_source.h"
#include "metadata/meta_log_store.h"

namespace chronik::metadata {
namespace {

constexpr const char* data = "meta_log_bench.data";

struct Node {
  explicit Node(std::uint64_t snapshot_log_bytes = 4u << 20)
      : environment(disk), group(environment, executor) {
    MetaLogOptions options;
    options.directory = std::string(data) + "/__meta-0";
    options.now = [] { return SystemClock().now_ms(); };
    options.snapshot_log_bytes_min = snapshot_log_bytes;
    store = std::move(MetaLogStore::open(environment, group, executor, options)).value();
  }
  void stop() {
    store->close();
    group.stop([] {});
    executor.run_all();
  }

  PosixDisk disk;
  wal::LogEnvironment environment;
  wal::ManualIoExecutor executor;
  wal::GroupCommit group;
  std::unique_ptr<MetaLogStore> store;
};

void empty_data() {
  set_log_level(LogLevel::error);
  std::filesystem::remove_all(data);
  std::filesystem::create_directories(data);
}

std::vector<MetadataEvent> ten_thousand_topics() {
  std::vector<MetadataEvent> events;
  for (std::uint64_t i = 1; i <= 10'000; ++i) {
    events.emplace_back(topic_created(i, "topic-" + std::to_string(i)));
  }
  return events;
}

void create_ten_thousand_topics(benchmark::State& state) {
  for (auto unused : state) {
    state.PauseTiming();
    empty_data();
    auto node = std::make_unique<Node>();
    state.ResumeTiming();
    node->store->propose(ten_thousand_topics(), [](Result<ApplyResults> results) {
      CHECK(results && results->back().ok());
    });
    while (node->store->image()->topic_count() == 0) node->executor.step();
    state.PauseTiming();
    node->executor.run_all();
    node.reset();
    state.ResumeTiming();
  }
}
BENCHMARK(create_ten_thousand_topics)->Unit(benchmark::kMillisecond)->UseRealTime();

// From the log alone (0), or from a snapshot (1).
void start_with_ten_thousand_topics(benchmark::State& state) {
  empty_data();
  {
    Node node(state.range(0) == 0 ? std::uint64_t{1} << 40 : 1);
    node.store->propose(ten_thousand_topics(), [](const Result<ApplyResults>&) {});
    node.executor.run_all();
    node.stop();
  }
  for (auto unused : state) {
    Node node(std::uint64_t{1} << 40);
    CHECK(node.store->image()->topic_count() == 10'000);
    CHECK(node.store->recovery().snapshot.empty() == (state.range(0) == 0));
  }
}
BENCHMARK(start_with_ten_thousand_topics)
    ->Arg(0)
    ->Arg(1)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

// So many proposals of one commit each are under way at a time. Snapshots as in production.
void commit_offsets(benchmark::State& state) {
  empty_data();
  Node node;
  node.store->propose(ten_thousand_topics(), [](const Result<ApplyResults>&) {});
  node.executor.run_all();
  std::int64_t proposed = 0;
  std::int64_t done = 0;
  for (auto unused : state) {
    while (proposed - done < state.range(0)) {
      ++proposed;
      node.store->propose(
          {offset_committed("group-" + std::to_string(proposed % 100),
                            static_cast<std::uint64_t>(proposed % 10'000) + 1, 0, proposed)},
          [&done](const Result<ApplyResults>&) { ++done; });
    }
    node.executor.step();
  }
  node.executor.run_all();
  state.SetItemsProcessed(done);
  node.stop();
}
BENCHMARK(commit_offsets)->Arg(1)->Arg(100)->Arg(2000)->UseRealTime();

}  // namespace
}  // namespace chronik::metadata

BENCHMARK_MAIN();
