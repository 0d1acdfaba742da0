// What the codec costs a request: items are messages, bytes are theirs without records.
#include <benchmark/benchmark.h>

#include "protocol/codec.h"
#include "protocol/messages/fetch.h"
#include "protocol/messages/metadata.h"
#include "protocol/messages/produce.h"

namespace chronik::protocol {
namespace {

ProduceRequest produce(int partitions) {
  ProduceRequest request;
  auto& topic = request.topic_data.emplace_back();
  for (int i = 0; i < partitions; ++i) {
    auto& partition = topic.partition_data.emplace_back();
    partition.index = i;
    partition.records = RecordsField(SharedBytes::allocate(1000));
  }
  return request;
}

MetadataResponse metadata(int partitions) {
  MetadataResponse response;
  auto& topic = response.topics.emplace_back();
  topic.name = "a-topic-of-some-name";
  for (int i = 0; i < partitions; ++i) {
    auto& partition = topic.partitions.emplace_back();
    partition.partition_index = i;
    partition.replica_nodes = partition.isr_nodes = {1, 2, 3};
  }
  return response;
}

FetchResponse fetch(int partitions) {
  FetchResponse response;
  auto& topic = response.responses.emplace_back();
  for (int i = 0; i < partitions; ++i) {
    auto& partition = topic.partitions.emplace_back();
    partition.partition_index = i;
    partition.records = RecordsField(SharedBytes::allocate(1000));
  }
  return response;
}

template <class M>
void encode_it(benchmark::State& state, const M& message) {
  for (auto _ : state) {
    Writer writer;
    encode(writer, M::max_version, message);
    benchmark::DoNotOptimize(writer.take_chain());
  }
  state.SetItemsProcessed(state.iterations());
}

template <class M>
void decode_it(benchmark::State& state, const M& message) {
  Writer writer;
  encode(writer, M::max_version, message);
  const ByteChain chain = writer.take_chain();
  Writer flat;
  for (const auto& part : chain.parts()) flat.bytes(std::get<SharedBytes>(part).view());
  const SharedBytes bytes = SharedBytes::adopt(flat.take_bytes());
  for (auto _ : state) {
    Reader reader(bytes);
    M decoded;
    CHECK(decode(reader, M::max_version, decoded));
    benchmark::DoNotOptimize(decoded);
  }
  state.SetItemsProcessed(state.iterations());
}

void produce_decode(benchmark::State& state) {
  decode_it(state, produce(static_cast<int>(state.range(0))));
}
void fetch_encode(benchmark::State& state) {
  encode_it(state, fetch(static_cast<int>(state.range(0))));
}
void metadata_encode(benchmark::State& state) {
  encode_it(state, metadata(static_cast<int>(state.range(0))));
}
void metadata_decode(benchmark::State& state) {
  decode_it(state, metadata(static_cast<int>(state.range(0))));
}

BENCHMARK(produce_decode)->Arg(1)->Arg(12)->Arg(1000);
BENCHMARK(fetch_encode)->Arg(1)->Arg(12)->Arg(1000);
BENCHMARK(metadata_encode)->Arg(12)->Arg(10000);
BENCHMARK(metadata_decode)->Arg(12)->Arg(10000);

}  // namespace
}  // namespace chronik::protocol

BENCHMARK_MAIN();
