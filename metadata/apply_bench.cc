// How fast events apply, and what an image holds in memory.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include "metadata/apply.h"
#include "metadata/event_codec.h"
#include "metadata/event_source.h"
#include "metadata/image_events.h"

namespace chronik::metadata {
namespace {

std::shared_ptr<const Image> image_with(int topics, int partitions, int groups) {
  ImageBuilder builder(std::make_shared<const Image>());
  for (int i = 0; i < topics; ++i) {
    builder.apply(
        topic_created(static_cast<std::uint64_t>(i) + 1, "topic-" + std::to_string(i), partitions));
  }
  for (int group = 0; group < groups; ++group) {
    for (int i = 0; i < topics; ++i) {
      for (int partition = 0; partition < partitions; ++partition) {
        builder.apply(offset_committed("group-" + std::to_string(group),
                                       static_cast<std::uint64_t>(i) + 1, partition, 1));
      }
    }
  }
  return builder.finish().image;
}

// One commit of one partition each, `batch` of them an image, as group commit makes them.
void apply_commits(benchmark::State& state) {
  std::shared_ptr<const Image> image = image_with(100, 100, 100);
  std::vector<MetadataEvent> events;
  events.reserve(4096);
  for (int i = 0; i < 4096; ++i) {
    events.emplace_back(offset_committed("group-" + std::to_string(i * 7 % 100),
                                         static_cast<std::uint64_t>(i * 13 % 100) + 1, i * 17 % 100,
                                         i));
  }
  const auto batch = static_cast<std::size_t>(state.range(0));
  std::size_t next = 0;
  for (auto unused : state) {
    ImageBuilder builder(image);
    for (std::size_t i = 0; i < batch; ++i) builder.apply(events[next++ % events.size()]);
    image = builder.finish().image;
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * batch));
}
BENCHMARK(apply_commits)->Arg(1)->Arg(16)->Arg(256)->Arg(4096);

void encode_and_decode_commit(benchmark::State& state) {
  const MetadataEvent event = offset_committed("group-17", 5, 3, 12345);
  for (auto unused : state) {
    Writer writer;
    encode_event(writer, event);
    benchmark::DoNotOptimize(decode_event(writer.take_bytes()));
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
}
BENCHMARK(encode_and_decode_commit);

void create_topics(benchmark::State& state) {
  std::vector<MetadataEvent> events;
  events.reserve(static_cast<std::size_t>(state.range(0)));
  for (int i = 0; i < state.range(0); ++i) {
    events.emplace_back(
        topic_created(static_cast<std::uint64_t>(i) + 1, "topic-" + std::to_string(i), 1));
  }
  const auto empty = std::make_shared<const Image>();
  for (auto unused : state) {
    ImageBuilder builder(empty);
    for (const MetadataEvent& event : events) builder.apply(event);
    benchmark::DoNotOptimize(builder.finish());
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * state.range(0));
}
BENCHMARK(create_topics)->Arg(10'000)->Arg(100'000)->Unit(benchmark::kMillisecond);

void find_topic(benchmark::State& state) {
  const auto image = image_with(10'000, 1, 0);
  int i = 0;
  for (auto unused : state) {
    benchmark::DoNotOptimize(image->topic("topic-" + std::to_string(i++ % 10'000)));
  }
}
BENCHMARK(find_topic);

void bytes_held(benchmark::State& state) {
  const auto topics = static_cast<int>(state.range(0));
  const auto partitions = static_cast<int>(state.range(1));
  const auto groups = static_cast<int>(state.range(2));
  for (auto unused : state) {
    const std::size_t before = mallinfo2().uordblks;
    const auto image = image_with(topics, partitions, groups);
    const std::size_t after = mallinfo2().uordblks;
    state.counters["MiB"] = static_cast<double>(after - before) / (1 << 20);
  }
}
BENCHMARK(bytes_held)
    ->Args({100'000, 1, 0})
    ->Args({10'000, 1, 0})
    ->Args({100, 100, 100})
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace chronik::metadata

BENCHMARK_MAIN();
