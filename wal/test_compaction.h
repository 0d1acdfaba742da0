// CompactionOnFakeDisk: a log on the fake disk whose topic is compacted, for the tests of runs that
// end well (log_compaction_test.cc) and of those that do not (log_compaction_failure_test.cc).
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "wal/compacted_log.h"
#include "wal/log_compaction.h"
#include "wal/log_verify.h"
#include "wal/offset_map.h"

namespace chronik::wal::testing {

inline constexpr Timestamp much_later = 1'000'000;
inline constexpr milliseconds delete_retention{500};

inline std::shared_ptr<LogSettings> compacted(std::uint64_t segment_bytes = 400) {
  std::shared_ptr<LogSettings> settings = small_segments(segment_bytes);
  settings->compact = true;
  settings->delete_old = false;
  settings->min_cleanable_dirty_ratio = 0;
  settings->delete_retention = delete_retention;
  return settings;
}

struct CompactionOnFakeDisk {
  LogOnFakeDisk fake{compacted()};

  CompactionOnFakeDisk() { fake.open(); }

  PartitionLog& log() { return *fake.log; }
  void append(KeyedBatch batch) {
    batch.epoch = std::max(batch.epoch, log().last_epoch());
    log().append(make_keyed_batch(log().end_offset(), batch));
  }
  void put(const std::string& key, const std::optional<std::string>& value) {
    append({.records = {{key, value}}, .first_timestamp = 1'000 + log().end_offset()});
  }
  /// `count` values of `keys` keys in turn, then a new segment.
  void fill(int count, int keys, const std::string& what = "v") {
    for (int i = 0; i < count; ++i) {
      put("k" + std::to_string(i % keys), what + std::to_string(i));
    }
  }
  /// So that all before it can be compacted.
  void roll() {
    fake.flush();
    log().seal_if_due(much_later * 1'000);
  }
  CompactionReport compact_all(Timestamp now = much_later) {
    roll();
    Result<CompactionReport> report = compact(log(), now);
    CHECK_MSG(report.has_value(), report.error().message);
    return *report;
  }
  void checkpoint() {
    CHECK(log().dirty());
    fake.close();
    fake.start_process();
    fake.open();
  }
  std::vector<SeenBatch> batches() { return read_batches(log()).value(); }
  std::vector<SeenRecord> records() { return read_records(log()).value(); }
  std::vector<Offset> offsets() {
    std::vector<Offset> offsets;
    for (const SeenRecord& seen : records()) offsets.push_back(seen.offset);
    return offsets;
  }
  std::map<std::string, std::optional<std::string>> values() {
    std::map<std::string, std::optional<std::string>> values;
    for (const SeenRecord& seen : records()) {
      values[*seen.record.key] = seen.record.value;
    }
    return values;
  }
  std::vector<std::string> damages() {
    std::vector<std::string> damages;
    const Result<VerifyReport> report = verify_logs(
        fake.disk, fake.directory, {},
        {.on_damage = [&](const LogDamage& damage) { damages.push_back(to_string(damage)); }});
    CHECK_MSG(report.has_value(), report.error().message);
    return damages;
  }
};

}  // namespace chronik::wal::testing
