// What a produced batch costs before it may go into the log: CRC, records, patches. Bytes per
// second are of the batch as it was sent, for compressed ones too ("plain_bytes" has what is
// inside).
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "base/crc32c.h"
#include "base/random.h"
#include "protocol/compression.h"
#include "protocol/produce_validation.h"
#include "protocol/record_builder.h"
#include "protocol/record_reader.h"

namespace chronik::protocol {
namespace {

constexpr Timestamp now = 1'700'000'000'000;

// Half noise, half text, so that it compresses about as JSON does.
Bytes value_of(Random& random, std::size_t size) {
  Bytes value;
  while (value.size() < size) {
    const std::string word = "\"field" + std::to_string(random.below(20)) +
                             "\":" + std::to_string(random.below(1'000'000)) + ",";
    value.insert(value.end(), word.begin(), word.end());
  }
  value.resize(size);
  return value;
}

SharedBytes batch_of(std::int32_t records, std::size_t value_size, Codec codec) {
  Random random(7);
  BatchOptions options;
  options.codec = codec;
  options.compression_level = level_range(codec).standard;
  options.producer_id = 1000;
  options.producer_epoch = 0;
  options.base_sequence = 0;
  BatchBuilder builder(options);
  for (std::int32_t i = 0; i < records; ++i) {
    builder.append(now + i, as_bytes("key"), value_of(random, value_size));
  }
  return builder.build();
}

void run(benchmark::State& state, const SharedBytes& batch, const ProduceRules& rules) {
  RecordScratch scratch;
  const ProduceTarget target{.topic = "topic", .partition = 0, .produce_version = 13, .now = now};
  // Validation may patch the header; each round begins with the one that was sent.
  SharedBytes bytes = batch;
  const BatchHeader sent = read_batch_header(batch.view());
  for (auto _ : state) {
    write_batch_header(sent, bytes.mutable_view());
    ProduceOutcome outcome = validate_produce(batch, rules, target, scratch);
    if (!std::holds_alternative<AcceptedBatch>(outcome)) state.SkipWithError("rejected");
    benchmark::DoNotOptimize(outcome);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(batch.size()));
  const std::int32_t records = read_batch_header(batch.view()).record_count;
  state.counters["records"] =
      benchmark::Counter(static_cast<double>(records) * static_cast<double>(state.iterations()),
                         benchmark::Counter::kIsRate);
}

void validate_plain(benchmark::State& state) {
  const auto records = static_cast<std::int32_t>(state.range(0));
  const auto size = static_cast<std::size_t>(state.range(1));
  run(state, batch_of(records, size, Codec::none), {});
}
BENCHMARK(validate_plain)
    ->ArgNames({"records", "value"})
    ->Args({1, 100})
    ->Args({1, 1024})
    ->Args({900, 1024})
    ->Args({9000, 100})
    ->Args({40'000, 10});

void validate_log_append_time(benchmark::State& state) {
  ProduceRules rules;
  rules.timestamp_type = TimestampType::log_append_time;
  run(state, batch_of(static_cast<std::int32_t>(state.range(0)), 1024, Codec::none), rules);
}
BENCHMARK(validate_log_append_time)->Arg(1)->Arg(900);

void validate_compressed(benchmark::State& state) {
  run(state, batch_of(900, 1024, static_cast<Codec>(state.range(0))), {});
}
BENCHMARK(validate_compressed)->DenseRange(1, 4);

void recompress(benchmark::State& state) {
  ProduceRules rules;
  rules.compression = static_cast<Codec>(state.range(0));
  rules.compression_level = level_range(*rules.compression).standard;
  run(state, batch_of(900, 1024, Codec::none), rules);
}
BENCHMARK(recompress)->DenseRange(1, 4);

// The floor: the CRC alone, over bytes in the caches and over bytes that are not.
void crc_alone(benchmark::State& state) {
  const SharedBytes batch = batch_of(900, 1024, Codec::none);
  for (auto _ : state) benchmark::DoNotOptimize(compute_batch_crc(batch.view()));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(batch.size()));
}
BENCHMARK(crc_alone);

void over_cold_batches(benchmark::State& state, bool crc_only) {
  const SharedBytes one = batch_of(900, 1024, Codec::none);
  std::vector<SharedBytes> many;
  many.reserve(256);
  for (int i = 0; i < 256; ++i) many.push_back(SharedBytes::copy_of(one.view()));
  RecordScratch scratch;
  const ProduceTarget target{.topic = "topic", .partition = 0, .produce_version = 13, .now = now};
  std::size_t next = 0;
  for (auto _ : state) {
    const SharedBytes& batch = many[next++ % many.size()];
    if (crc_only) {
      benchmark::DoNotOptimize(compute_batch_crc(batch.view()));
    } else {
      ProduceOutcome outcome = validate_produce(batch, {}, target, scratch);
      benchmark::DoNotOptimize(outcome);
    }
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(one.size()));
}
BENCHMARK_CAPTURE(over_cold_batches, crc_alone, true);
BENCHMARK_CAPTURE(over_cold_batches, validate, false);

void decompress_whole(benchmark::State& state) {
  const auto codec = static_cast<Codec>(state.range(0));
  Random random(3);
  const Bytes plain = value_of(random, std::size_t{1} << 20);
  Bytes packed;
  compress(codec, level_range(codec).standard, plain, packed);
  Decompressor decompressor;
  Bytes piece(128 * 1024);
  for (auto _ : state) {
    decompressor.start(codec, packed);
    while (decompressor.read(piece).value() == piece.size()) {
    }
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(plain.size()));
}
BENCHMARK(decompress_whole)->DenseRange(1, 4);

}  // namespace
}  // namespace chronik::protocol

BENCHMARK_MAIN();
