// SeedLogs: small data directories with one partition, made by the real code, of every shape that a
// log can have when a process dies. For the fuzz target of recovery and tests of it only.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "wal/compacted_log.h"
#include "wal/log_directory.h"

namespace chronik::wal::testing {

inline const std::string data_directory = "/data";
inline const std::string partition_directory = "/data/t-0";

using FileContents = std::map<std::string, Bytes>;
inline FileContents contents(const MemoryDisk& disk) {
  FileContents found;
  for (const std::string& file : disk.files(data_directory)) found[file] = disk.content(file);
  return found;
}

/// The logs there are before the damage.
enum class LogShape : std::uint8_t {
  young,        // no checkpoint yet
  closed,       // all of it under a checkpoint
  tail,         // and more behind it, in the same segment
  rolled_tail,  // over several segments
  large,        // batches of more than a sector, mostly behind the checkpoint
  codecs,       // compressed
  shortened,    // DeleteRecords has moved its start
  compacted,    // with a tail
  replaced,     // the same; what compaction has replaced is still there
  empty,        // a directory and whose it is
  count,
};

class SeedLogs {
 public:
  static std::unique_ptr<MemoryDisk> make(LogShape shape) {
    static std::array<std::unique_ptr<MemoryDisk>, std::size_t(LogShape::count)> made;
    std::unique_ptr<MemoryDisk>& disk = made[static_cast<std::size_t>(shape)];
    if (disk == nullptr) disk = build(shape);
    return disk->clone();
  }

  static std::shared_ptr<LogSettings> settings(LogShape shape) {
    const bool one_segment = shape == LogShape::tail || shape == LogShape::large;
    std::shared_ptr<LogSettings> settings = small_segments(one_segment ? 1u << 20 : 500);
    settings->delete_old = false;
    settings->compact = shape == LogShape::compacted || shape == LogShape::replaced;
    settings->min_cleanable_dirty_ratio = 0;
    settings->delete_retention = milliseconds(500);
    return settings;
  }

 private:
  static std::unique_ptr<MemoryDisk> build(LogShape shape) {
    LogOnFakeDisk t(settings(shape));
    {
      auto directory = LogDirectory::open(t.disk, data_directory, {}).value();
      CHECK(directory->write_stamp({1, "fuzzed-cluster", 1, test_topic_id(3)}));
    }
    if (shape == LogShape::empty) {
      CHECK(t.disk.make_directories(partition_directory));
      t.disk.set_content(partition_directory + "/" + topic_file_name(test_topic_id()), {});
      return t.disk.clone();
    }
    t.open();
    const FileContents old = settings(shape)->compact ? fill_compacted(t) : fill(t, shape);
    t.log.reset();
    if (shape == LogShape::replaced) {
      for (const auto& [file, content] : old) {
        if (!t.disk.exists(file).value()) t.disk.set_content(file, content);
      }
    }
    return t.disk.clone();
  }

  static FileContents fill(LogOnFakeDisk& t, LogShape shape) {
    const BatchSpec spec{.value_bytes = shape == LogShape::large ? 600u : 10u};
    for (int i = 0; i < (shape == LogShape::large ? 2 : 9); ++i) {
      append(t, shape, spec, i);
      if (i == 5) t.append_raft(t.log->last_epoch());
    }
    if (shape == LogShape::young) {
      t.flush();
      return {};
    }
    if (shape == LogShape::shortened) {
      t.flush();
      CHECK(t.log->delete_before(9));
    }
    t.close();
    if (shape == LogShape::closed) return {};
    t.reopen();
    for (int i = 0; i < (shape == LogShape::rolled_tail ? 9 : 4); ++i) append(t, shape, spec, i);
    t.append_raft(t.log->last_epoch() + 1);
    append(t, shape, spec, 1);
    t.flush();
    return {};
  }

  static void append(LogOnFakeDisk& t, LogShape shape, BatchSpec spec, int i) {
    constexpr protocol::Codec codecs[] = {protocol::Codec::gzip, protocol::Codec::snappy,
                                          protocol::Codec::lz4, protocol::Codec::zstd};
    if (shape == LogShape::codecs) spec.codec = codecs[i % 4];
    spec.epoch = i / 4;
    t.append(1 + i % 3, spec);
  }

  /// Returns what was there before.
  static FileContents fill_compacted(LogOnFakeDisk& t) {
    const auto put = [&](int i) {
      const std::optional<std::string> value = i % 5 == 4 ? std::nullopt : std::optional("value");
      t.log->append(make_keyed_batch(t.log->end_offset(),
                                     {.records = {{"k" + std::to_string(i % 4), value}},
                                      .first_timestamp = 1'000 + t.log->end_offset(),
                                      .producer_id = i % 3 == 0 ? 5 : no_producer_id,
                                      .base_sequence = i % 3 == 0 ? i / 3 : no_sequence}));
    };
    for (int i = 0; i < 20; ++i) put(i);
    t.flush();
    t.log->seal_if_due(Timestamp{1} << 50);
    const FileContents before = contents(t.disk);
    const Result<CompactionReport> report = compact(*t.log, 1'000'000);
    CHECK_MSG(report.has_value(), report.error().message);
    for (int i = 0; i < 3; ++i) put(i);
    t.close();
    t.reopen();
    for (int i = 0; i < 3; ++i) put(i);
    t.flush();
    return before;
  }
};

}  // namespace chronik::wal::testing
