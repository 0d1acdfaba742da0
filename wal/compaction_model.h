// CompactionModel: what a compacted log may look like, kept as all that was ever appended to it,
// for tests that lose its power. Tests and test programs only.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "wal/compacted_log.h"

namespace chronik::wal::testing {

class CompactionModel {
 public:
  static constexpr milliseconds delete_retention{100};
  static constexpr Timestamp first_run = 1'000'000;

  void append(SeenRecord record) { appended_.push_back(std::move(record)); }
  std::size_t size() const { return appended_.size(); }

  void on_run(Offset below, Timestamp now) {
    compacted_below_ = std::max(compacted_below_, below);
    runs_.emplace_back(below, now);
  }
  void on_swap() { swapped_ = true; }
  /// Retention or DeleteRecords has moved the start of the log.
  void asked_start(Offset start) { asked_start_ = std::max(asked_start_, start); }
  Offset acked() const { return acked_; }
  void on_durable(const PartitionLog& log) {
    acked_ = std::max(acked_, log.durable_end_offset());
    acked_start_ = std::max(acked_start_, log.durable_log_start_offset());
    // The checkpoint with the swap is durable: what is missing now stays away.
    if (!swapped_ || log.dirty() || log.checkpoint_in_flight()) return;
    swapped_ = false;
    gone_.insert(missing_.begin(), missing_.end());
  }

  /// Compares the log after a restart and takes over what it found. Returns what is wrong, or
  /// nothing.
  std::string recovered(PartitionLog& log) {
    if (log.end_offset() < acked_) {
      return fmt::format("offsets below {} were acknowledged, the log ends at {}", acked_,
                         log.end_offset());
    }
    if (log.log_start_offset() < acked_start_ || log.log_start_offset() > asked_start_) {
      return fmt::format("the log starts at {}, asked for {}, acknowledged {}",
                         log.log_start_offset(), asked_start_, acked_start_);
    }
    // The checkpoint with this start may not be durable yet: nobody was told so.
    asked_start_ = log.log_start_offset();
    const auto end = static_cast<std::size_t>(log.end_offset());
    if (end > appended_.size()) return "the log ends behind all that was appended";
    appended_.resize(end);
    acked_ = log.end_offset();
    swapped_ = false;
    // What was lost may be appended anew.
    std::erase_if(gone_, [&](Offset offset) { return offset >= log.end_offset(); });
    compacted_below_ = std::min(compacted_below_, log.end_offset());
    return compare(log);
  }

  /// What the log has against all that was appended.
  std::string compare(PartitionLog& log) {
    const Result<std::vector<SeenRecord>> read = read_records(log);
    if (!read) return read.error().message;
    std::map<std::string, Offset> last;
    for (const SeenRecord& record : appended_) {
      if (record.offset < compacted_below_) last[*record.record.key] = record.offset;
    }
    missing_.clear();
    auto seen = read->begin();
    for (const SeenRecord& record : appended_) {
      if (record.offset < log.log_start_offset()) continue;
      if (seen != read->end() && seen->offset == record.offset) {
        if (!(*seen == record)) return fmt::format("offset {} has changed", record.offset);
        if (gone_.contains(record.offset)) {
          return fmt::format("offset {} was durably removed and is back", record.offset);
        }
        ++seen;
        continue;
      }
      missing_.insert(record.offset);
      const bool superseded =
          record.offset < compacted_below_ && last[*record.record.key] > record.offset;
      const bool old_tombstone =
          !record.record.value.has_value() && tombstone_may_go(record.offset);
      if (!superseded && !old_tombstone) {
        return fmt::format("offset {} is missing (end {}, compacted below {})", record.offset,
                           log.end_offset(), compacted_below_);
      }
    }
    if (seen != read->end()) return fmt::format("offset {} was never appended", seen->offset);
    return check_absent_tombstones(*read);
  }

 private:
  /// A run has looked at it at least delete.retention.ms after another one did.
  bool tombstone_may_go(Offset offset) const {
    std::optional<Timestamp> first;
    Timestamp last = 0;
    for (const auto& [below, now] : runs_) {
      if (below <= offset) continue;
      first = std::min(first.value_or(now), now);
      last = std::max(last, now);
    }
    return first.has_value() && last - *first >= delete_retention.count();
  }

  /// Where the last record of a key is a tombstone that is missing, nothing of the key may be left.
  std::string check_absent_tombstones(const std::vector<SeenRecord>& read) const {
    std::map<std::string, Offset> last;
    for (const SeenRecord& record : appended_) last[*record.record.key] = record.offset;
    for (const SeenRecord& record : read) {
      const Offset newest = last[*record.record.key];
      if (missing_.contains(newest)) {
        return fmt::format("offset {} of a deleted key is back, its tombstone {} is not",
                           record.offset, newest);
      }
    }
    return {};
  }

  std::vector<SeenRecord> appended_;  // by offset, from 0
  Offset acked_ = 0;
  Offset acked_start_ = 0;
  Offset asked_start_ = 0;
  Offset compacted_below_ = 0;                      // the furthest that any run may have cleaned
  std::vector<std::pair<Offset, Timestamp>> runs_;  // below which offset, and when
  std::set<Offset> missing_;                        // as of the last comparison
  std::set<Offset> gone_;                           // durably
  bool swapped_ = false;
};

}  // namespace chronik::wal::testing
