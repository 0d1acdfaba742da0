#include "integration/sim/client_batch.h"

#include <spdlog/fmt/fmt.h>

#include "protocol/record_builder.h"

namespace chronik::sim {

namespace {

constexpr Timestamp first_time = 1'700'000'000'000;
constexpr int numbers_max = 100'000;

}  // namespace

bool is_superseded_by_the_next(BatchName name) { return name.number % 4 == 0; }

SharedBytes make_client_batch(BatchName name, ProducerId producer_id, ProducerEpoch epoch,
                              Sequence first_sequence, int records) {
  CHECK(name.number < numbers_max);
  CHECK(records == 1 || !is_superseded_by_the_next(name));
  protocol::BatchOptions options;
  options.producer_id = producer_id;
  if (producer_id != no_producer_id) {
    options.producer_epoch = epoch;
    options.base_sequence = first_sequence;
  }
  protocol::BatchBuilder builder(options);
  const Timestamp time = first_time + Timestamp{name.producer} * numbers_max + name.number;
  for (int i = 0; i < records; ++i) {
    const std::string value = fmt::format("{}/{}/{}", name.producer, name.number, i);
    const std::string key =
        is_superseded_by_the_next(name) ? fmt::format("{}", name.producer) : value;
    builder.append(time, as_bytes(key), as_bytes(value));
  }
  return builder.build();
}

std::optional<BatchName> name_of(const protocol::BatchHeader& batch) {
  const Timestamp name = batch.base_timestamp - first_time;
  if (name < 0 || name >= Timestamp{1'000} * numbers_max) return std::nullopt;
  return BatchName{static_cast<int>(name / numbers_max), static_cast<int>(name % numbers_max)};
}

}  // namespace chronik::sim
