// What tests of compaction have in common: batches of keyed records, the records of a log, a run of
// compaction in place. Tests and test programs only.
#pragma once

#include <spdlog/fmt/fmt.h>

#include <optional>
#include <string>
#include <vector>

#include "protocol/record_builder.h"
#include "protocol/record_reader.h"
#include "wal/log_compaction.h"
#include "wal/test_log.h"

namespace chronik::wal::testing {

/// No value: a tombstone. No key: a record that a compacted topic would refuse.
struct KeyedRecord {
  std::optional<std::string> key;
  std::optional<std::string> value;

  bool operator==(const KeyedRecord&) const = default;
};

struct KeyedBatch {
  std::vector<KeyedRecord> records;
  LeaderEpoch epoch = 0;
  Timestamp first_timestamp = 1'000;  // one ms apart
  protocol::Codec codec = protocol::Codec::none;
  ProducerId producer_id = no_producer_id;
  Sequence base_sequence = no_sequence;
  std::optional<Timestamp> log_append_time = {};
};

inline std::optional<ByteView> view_of(const std::optional<std::string>& text) {
  return text.has_value() ? std::optional(as_bytes(*text)) : std::nullopt;
}

inline SharedBytes make_keyed_batch(Offset base_offset, const KeyedBatch& spec) {
  protocol::BatchOptions options;
  options.base_offset = base_offset;
  options.leader_epoch = spec.epoch;
  options.codec = spec.codec;
  options.compression_level = protocol::level_range(spec.codec).standard;
  options.producer_id = spec.producer_id;
  options.producer_epoch = static_cast<ProducerEpoch>(spec.producer_id >= 0 ? 0 : -1);
  options.base_sequence = spec.base_sequence;
  options.log_append_time = spec.log_append_time;
  protocol::BatchBuilder builder(options);
  Timestamp time = spec.first_timestamp;
  for (const KeyedRecord& record : spec.records) {
    const protocol::RecordHeader header{"h", as_bytes("x")};
    builder.append(time++, view_of(record.key), view_of(record.value), {&header, 1});
  }
  return builder.build();
}

/// A record as a consumer sees it.
struct SeenRecord {
  Offset offset = 0;
  Timestamp timestamp = 0;
  KeyedRecord record;

  bool operator==(const SeenRecord&) const = default;
};

struct SeenBatch {
  protocol::BatchHeader header;
  std::vector<SeenRecord> records;
};

inline std::optional<std::string> text_of(const std::optional<ByteView>& view) {
  if (!view.has_value()) return std::nullopt;
  return std::string(view->begin(), view->end());
}

/// The batches of some bytes. Everything about them is checked.
inline std::vector<SeenBatch> decode_batches(ByteView bytes) {
  std::vector<SeenBatch> batches;
  protocol::RecordScratch scratch;
  while (!bytes.empty()) {
    SeenBatch batch;
    batch.header = protocol::check_batch(bytes).value();
    protocol::RecordReader reader = protocol::RecordReader::open(bytes, scratch).value();
    protocol::Record record;
    while (reader.next(record)) {
      CHECK(record.header_count == 1 && record.headers()[0].key == "h");
      batch.records.push_back(
          {record.offset, record.timestamp, {text_of(record.key), text_of(record.value)}});
    }
    CHECK_MSG(reader.ok(), reader.problem());
    bytes = bytes.subspan(batch.header.size());
    batches.push_back(std::move(batch));
  }
  return batches;
}

/// All batches that reads of at most `max_bytes` give, from the log's start.
inline Result<std::vector<SeenBatch>> read_batches(PartitionLog& log,
                                                   std::uint64_t max_bytes = 1u << 20) {
  std::vector<SeenBatch> batches;
  for (Offset at = log.log_start_offset(); at < log.end_offset();) {
    TRY_ASSIGN(const LogSlice slice, log.read(at, max_bytes, log.end_offset(), true));
    TRY_ASSIGN(const SharedBytes bytes, gather(slice.bytes));
    CHECK_MSG(!bytes.view().empty(), fmt::format("nothing at offset {}", at));
    for (SeenBatch& batch : decode_batches(bytes.view())) {
      CHECK(batch.header.next_offset() > at);
      at = batch.header.next_offset();
      batches.push_back(std::move(batch));
    }
    CHECK(at == slice.next);
  }
  return batches;
}

inline Result<std::vector<SeenRecord>> read_records(PartitionLog& log) {
  TRY_ASSIGN(const std::vector<SeenBatch> batches, read_batches(log));
  std::vector<SeenRecord> records;
  for (const SeenBatch& batch : batches) {
    for (const SeenRecord& record : batch.records) {
      if (record.offset >= log.log_start_offset()) records.push_back(record);
    }
  }
  return records;
}

/// The last sequence of the one producer; saved, and replayed when it was not.
struct LastSequences final : DerivedState {
  void apply(const protocol::BatchHeader& header) override {
    if (!header.has_producer_id()) return;
    last = header.last_sequence();
    last_offset = header.last_offset();
  }
  Bytes save_below(Offset end) const override {
    const bool known = last_offset < end;
    Writer writer;
    writer.i32(known ? last : no_sequence);
    writer.i64(known ? last_offset : -1);
    return writer.take_bytes();
  }
  Result<void> restore(ByteView saved) override {
    // Every other time the log is asked to show its entries again.
    if (++restores % 2 == 0) return Error{Errc::unsupported, "another version"};
    Reader reader(saved);
    last = reader.i32();
    last_offset = reader.i64();
    return {};
  }
  void reset() override {
    last = no_sequence;
    last_offset = -1;
  }
  std::vector<Offset> batches_to_keep() const override { return {last_offset}; }

  Sequence last = no_sequence;
  Offset last_offset = -1;
  int restores = 0;
};

/// A whole run, here and now; the swap is not durable yet.
inline Result<CompactionReport> compact(PartitionLog& log, Timestamp now,
                                        const CompactionLimits& limits = {}) {
  LogCompaction compaction(log);
  if (compaction.cleanable(now).dirty_bytes == 0) {
    return Error{Errc::not_found, "nothing is dirty"};
  }
  CompactionJob job = compaction.begin(limits, now, 7);
  while (job.step()) {
  }
  return compaction.end(std::move(job));
}

}  // namespace chronik::wal::testing
