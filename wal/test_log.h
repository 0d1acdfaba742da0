// What tests of the log have in common: batches, an entry of Raft's own, a derived state that can
// be compared, and a log on a fake disk. Tests and test programs only.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/coding.h"
#include "base/memory_disk.h"
#include "protocol/record_builder.h"
#include "wal/format.h"
#include "wal/partition_log.h"

namespace chronik::wal::testing {

struct BatchSpec {
  Offset base_offset = 0;
  int records = 1;
  LeaderEpoch epoch = 0;
  Timestamp first_timestamp = 1'000;
  Timestamp timestamp_step = 1;
  std::size_t value_bytes = 10;
  protocol::Codec codec = protocol::Codec::none;
  std::uint64_t seed = 1;  // of the values
};

inline SharedBytes make_batch(const BatchSpec& spec) {
  protocol::BatchBuilder builder({.base_offset = spec.base_offset,
                                  .leader_epoch = spec.epoch,
                                  .codec = spec.codec,
                                  .compression_level = protocol::level_range(spec.codec).standard});
  Random random(spec.seed * 1'000'003 + static_cast<std::uint64_t>(spec.base_offset));
  Bytes value(spec.value_bytes);
  for (int i = 0; i < spec.records; ++i) {
    for (std::uint8_t& byte : value) byte = static_cast<std::uint8_t>(random.next());
    builder.append(spec.first_timestamp + i * spec.timestamp_step, std::nullopt, ByteView(value));
  }
  return builder.build();
}

/// An entry that takes no Kafka offset.
inline SharedBytes make_raft_entry(Offset next_offset, LeaderEpoch epoch,
                                   std::size_t payload_bytes = 5) {
  SharedBytes bytes = SharedBytes::allocate(protocol::batch_header_size + payload_bytes);
  MutableByteView view = bytes.mutable_view();
  std::fill(view.begin(), view.end(), std::uint8_t{0x5a});
  protocol::BatchHeader header;
  header.base_offset = next_offset;
  header.length = static_cast<std::int32_t>(bytes.size() - protocol::batch_length_overhead);
  header.leader_epoch = epoch;
  header.attributes = 0x20;
  header.last_offset_delta = -1;
  header.max_timestamp = -1;
  header.base_timestamp = -1;
  protocol::write_batch_header(header, view);
  header.crc = protocol::compute_batch_crc(view);
  protocol::write_batch_header(header, view);
  return bytes;
}

/// Remembers every entry it was shown.
class SeenEntries final : public DerivedState {
 public:
  struct Seen {
    Offset base_offset = 0;
    std::uint32_t crc = 0;
    bool operator==(const Seen&) const = default;
  };

  void apply(const protocol::BatchHeader& header) override {
    seen.push_back({header.base_offset, header.crc});
    ++applied;
  }
  Bytes save_below(Offset end) const override {
    Writer writer;
    for (const Seen& entry : seen) {
      if (entry.base_offset >= end) break;
      writer.i64(entry.base_offset);
      writer.u32(entry.crc);
    }
    return writer.take_bytes();
  }
  Result<void> restore(ByteView saved) override {
    if (refuse_restore) return Error{Errc::unsupported, "another version"};
    seen.clear();
    applied = 0;
    Reader reader(saved);
    while (reader.remaining() != 0) {
      const Offset base = reader.i64();
      seen.push_back({base, reader.u32()});
    }
    return {};
  }
  void reset() override {
    seen.clear();
    applied = 0;
  }
  void on_log_start(Offset offset) override {
    std::erase_if(seen, [&](const Seen& entry) { return entry.base_offset < offset; });
  }

  std::vector<Seen> seen;
  int applied = 0;  // since reset() or restore()
  bool refuse_restore = false;
};

inline Uuid test_topic_id(std::uint64_t n = 1) { return Uuid::from_random(n, n + 7); }

inline std::shared_ptr<LogSettings> small_segments(std::uint64_t segment_bytes = 1000) {
  auto settings = std::make_shared<LogSettings>();
  settings->segment_bytes = segment_bytes;
  settings->index_interval_bytes = 150;
  return settings;
}

/// One log "/data/t-0" on a fake disk; the process may die and come back.
class LogOnFakeDisk {
 public:
  explicit LogOnFakeDisk(std::shared_ptr<const LogSettings> settings = small_segments())
      : settings_(std::move(settings)) {
    CHECK(disk.make_directories("/data"));
    start_process();
  }

  void start_process() {
    log.reset();
    environment = std::make_unique<LogEnvironment>(disk);
    environment->on_fatal = [this](const Error& error) { fatal.push_back(error); };
  }
  Result<void> try_open() {
    Result<std::unique_ptr<PartitionLog>> opened =
        PartitionLog::open(*environment, directory, {"t", 0, test_topic_id()}, settings_, &derived);
    if (!opened) return opened.error();
    log = std::move(*opened);
    return {};
  }
  void open() {
    const Result<void> opened = try_open();
    CHECK_MSG(opened.has_value(), opened.error().message);
  }
  void reopen() {
    start_process();
    open();
  }
  void crash(std::uint64_t seed, CrashModel model) {
    log.reset();
    Random random(seed);
    disk.crash(random, model);
    start_process();
  }

  /// Appends a batch of `records` records, one ms apart, behind what is there.
  void append(int records = 1, BatchSpec spec = {}) {
    spec.base_offset = log->end_offset();
    spec.records = records;
    spec.epoch = std::max(spec.epoch, log->last_epoch());
    spec.first_timestamp = 1'000 + log->end_offset();
    log->append(make_batch(spec));
  }
  void append_raft(LeaderEpoch epoch) { log->append(make_raft_entry(log->end_offset(), epoch)); }
  void flush() {
    const Result<void> flushed = log->flush();
    CHECK_MSG(flushed.has_value(), flushed.error().message);
  }
  void close() {
    const Result<void> closed = log->close();
    CHECK_MSG(closed.has_value(), closed.error().message);
    log.reset();
  }

  /// The base offsets of all batches that reads with this limit give, from the log's start.
  std::vector<Offset> read_all(std::uint64_t max_bytes = 1u << 20) {
    std::vector<Offset> bases;
    Offset at = log->log_start_offset();
    while (at < log->end_offset()) {
      LogSlice slice = log->read(at, max_bytes, log->end_offset(), true).value();
      CHECK(slice.next > at);
      at = slice.next;
      const SharedBytes bytes = gather(slice.bytes).value();
      Offset expected = slice.first;
      for (ByteView rest = bytes.view(); !rest.empty();) {
        const protocol::BatchHeader header = protocol::read_batch_header(rest);
        CHECK(header.base_offset == expected);
        CHECK(protocol::compute_batch_crc(rest.first(header.size())) == header.crc);
        expected = header.next_offset();
        bases.push_back(header.base_offset);
        rest = rest.subspan(header.size());
      }
      CHECK(expected == slice.next);
    }
    return bases;
  }
  std::vector<std::string> files() const { return disk.files("/data"); }
  std::string file(Offset base, std::string_view suffix = ".log") const {
    return directory + "/" + segment_file_name({base}, suffix);
  }

  const std::string directory = "/data/t-0";
  MemoryDisk disk;
  std::unique_ptr<LogEnvironment> environment;
  SeenEntries derived;
  std::unique_ptr<PartitionLog> log;
  std::vector<Error> fatal;

 private:
  std::shared_ptr<const LogSettings> settings_;
};

}  // namespace chronik::wal::testing
