// Random records and batches for the tests of everything that reads or writes batches.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/coding.h"
#include "base/random.h"
#include "protocol/compression.h"
#include "protocol/record_builder.h"

namespace chronik::protocol::testing {

inline constexpr Codec all_codecs[] = {Codec::none, Codec::gzip, Codec::snappy, Codec::lz4,
                                       Codec::zstd};

/// A record that owns its bytes.
struct OwnedRecord {
  Timestamp timestamp = 0;
  std::optional<Bytes> key;
  std::optional<Bytes> value;
  std::vector<std::pair<std::string, std::optional<Bytes>>> headers;

  bool operator==(const OwnedRecord&) const = default;
};

inline std::optional<Bytes> random_bytes(Random& random, std::size_t size_max) {
  if (random.one_in(5)) return std::nullopt;
  Bytes bytes(random.below(random.one_in(4) ? size_max + 1 : 20));
  const bool noise = random.one_in(2);
  for (std::uint8_t& byte : bytes) {
    byte = noise ? static_cast<std::uint8_t>(random.next()) : std::uint8_t{'x'};
  }
  return bytes;
}

inline OwnedRecord random_record(Random& random, Timestamp around, std::size_t value_max = 2'000) {
  OwnedRecord record;
  record.timestamp = around + static_cast<Timestamp>(random.below(2'000)) - 1'000;
  record.key = random_bytes(random, 200);
  record.value = random_bytes(random, value_max);
  for (std::uint64_t left = random.one_in(3) ? random.below(5) : 0; left > 0; --left) {
    record.headers.emplace_back("h" + std::to_string(random.below(100)), random_bytes(random, 50));
  }
  return record;
}

inline std::vector<OwnedRecord> random_records(Random& random, Timestamp around,
                                               std::size_t count_max = 50,
                                               std::size_t value_max = 2'000) {
  std::vector<OwnedRecord> records(1 + random.below(count_max));
  for (OwnedRecord& record : records) record = random_record(random, around, value_max);
  return records;
}

inline SharedBytes build_batch(const std::vector<OwnedRecord>& records, BatchOptions options = {}) {
  if (options.compression_level == 0) {
    options.compression_level = level_range(options.codec).standard;
  }
  BatchBuilder builder(options);
  const auto view = [](const std::optional<Bytes>& bytes) {
    return bytes ? std::optional<ByteView>(*bytes) : std::nullopt;
  };
  for (const OwnedRecord& record : records) {
    std::vector<RecordHeader> headers;
    for (const auto& [key, value] : record.headers) headers.push_back({key, view(value)});
    builder.append(record.timestamp, view(record.key), view(record.value), headers);
  }
  return builder.build();
}

/// The records of a batch, or nothing when it cannot be read.
inline std::optional<std::vector<OwnedRecord>> records_of(ByteView batch, RecordScratch& scratch) {
  auto reader = RecordReader::open(batch, scratch);
  if (!reader) return std::nullopt;
  const auto own = [](const std::optional<ByteView>& bytes) {
    return bytes ? std::optional<Bytes>(to_bytes(*bytes)) : std::nullopt;
  };
  std::vector<OwnedRecord> records;
  Record record;
  while (reader->next(record)) {
    OwnedRecord owned{.timestamp = record.timestamp,
                      .key = own(record.key),
                      .value = own(record.value),
                      .headers = {}};
    for (const RecordHeader& header : record.headers()) {
      owned.headers.emplace_back(std::string(header.key), own(header.value));
    }
    records.push_back(std::move(owned));
  }
  if (!reader->ok()) return std::nullopt;
  return records;
}

/// After a change of covered bytes.
inline void repair_crc(MutableByteView batch) {
  store_be(batch.data() + batch_crc_position, compute_batch_crc(batch));
}

}  // namespace chronik::protocol::testing
