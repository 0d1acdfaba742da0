// LogModel: what a partition log should be, kept in a plain vector, for tests that do random things
// to the real one and lose its power. Tests and test programs only.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "wal/partition_log.h"

namespace chronik::wal::testing {

struct ModelEntry {
  EntryIndex index = 0;
  LeaderEpoch epoch = 0;
  Offset base = 0;
  Offset next = 0;
  Timestamp first_timestamp = 0;  // the records' times rise by timestamp_step
  Timestamp timestamp_step = 0;
  SharedBytes bytes;

  bool is_raft() const { return next == base; }
};

class LogModel {
 public:
  using Entries = std::vector<ModelEntry>;

  const Entries& entries() const { return entries_; }
  Offset end_offset() const { return entries_.empty() ? base_offset_ : entries_.back().next; }
  EntryIndex last_index() const { return base_index_ + static_cast<EntryIndex>(entries_.size()); }
  LeaderEpoch last_epoch() const { return entries_.empty() ? base_epoch_ : entries_.back().epoch; }
  EntryIndex acked() const { return acked_; }

  void append(ModelEntry entry) {
    entry.index = last_index() + 1;
    entries_.push_back(std::move(entry));
  }
  /// Until the cut is durable, a restart may find the log as it was before.
  void truncate_after(EntryIndex last_kept) {
    others_.push_back(entries_);
    entries_.resize(static_cast<std::size_t>(last_kept - base_index_));
    acked_ = std::min(acked_, last_kept);
  }
  void asked_start(Offset start) { asked_start_ = std::max(asked_start_, start); }
  /// What the log has just said to be durable.
  void on_durable(const PartitionLog& log) {
    acked_ = std::max(acked_, log.durable_last_index());
    acked_start_ = std::max(acked_start_, log.durable_log_start_offset());
    if (!log.dirty() && !log.flush_in_flight()) others_.clear();
  }

  /// Compares the log after a restart and takes over what it found. `lossy`: acknowledged entries
  /// may be gone (page-cache mode and a power cut). Returns what is wrong, or nothing.
  std::string recovered(PartitionLog& log, bool lossy) {
    const EntryIndex last = log.last_index();
    if (!lossy && last < acked_) {
      return fmt::format("entries up to {} were acknowledged, the log ends with {}", acked_, last);
    }
    if (log.log_start_offset() < acked_start_ || log.log_start_offset() > asked_start_) {
      return fmt::format("the log starts at {}, asked for {}, acknowledged {}",
                         log.log_start_offset(), asked_start_, acked_start_);
    }
    std::string problem = compare(log, entries_, last);
    for (std::size_t i = 0; !problem.empty() && i < others_.size(); ++i) {
      if (compare(log, others_[i], last).empty()) {
        entries_ = others_[i];
        problem.clear();
      }
    }
    if (!problem.empty()) return problem;
    entries_.resize(static_cast<std::size_t>(last - base_index_));
    others_.clear();
    acked_ = last;
    // The name of the checkpoint with this start may not be durable yet: nobody was told so.
    asked_start_ = log.log_start_offset();
    forget_before(log.start_index());
    return {};
  }

  /// The entries of the log from its start, against the same of `entries`.
  std::string compare(PartitionLog& log, const Entries& entries, EntryIndex last) const {
    const EntryIndex first = log.start_index();
    if (last > base_index_ + static_cast<EntryIndex>(entries.size())) {
      return fmt::format("the log has {} entries, only {} were ever appended", last,
                         base_index_ + static_cast<EntryIndex>(entries.size()));
    }
    if (last < base_index_) return fmt::format("the log ends with entry {}", last);
    if (first <= base_index_) return fmt::format("the log begins with entry {}", first);
    const Offset end = last == base_index_ ? base_offset_ : at(entries, last).next;
    if (log.end_offset() != end) {
      return fmt::format("the log ends at offset {}, expected {}", log.end_offset(), end);
    }
    for (EntryIndex index = first; index <= last;) {
      Result<EntrySlice> slice = log.read_entries(index, 700);
      if (!slice) return slice.error().message;
      Result<SharedBytes> bytes = gather(slice->bytes);
      if (!bytes) return bytes.error().message;
      ByteView rest = bytes->view();
      for (; index < slice->next; ++index) {
        const ModelEntry& entry = at(entries, index);
        if (rest.size() < entry.bytes.size() ||
            !std::equal(entry.bytes.view().begin(), entry.bytes.view().end(), rest.begin())) {
          return fmt::format("entry {} (offset {}) is not what was appended", index, entry.base);
        }
        if (log.epoch_at(index) != entry.epoch) {
          return fmt::format("entry {} has epoch {}, expected {}", index,
                             log.epoch_at(index).value_or(-9), entry.epoch);
        }
        rest = rest.subspan(entry.bytes.size());
      }
      if (!rest.empty()) return fmt::format("bytes are left behind entry {}", index - 1);
    }
    return {};
  }

  std::string check_state(PartitionLog& log) const {
    if (log.end_offset() != end_offset() || log.last_index() != last_index() ||
        log.last_epoch() != last_epoch()) {
      return fmt::format("ends at {}/{}/{}, expected {}/{}/{}", log.end_offset(), log.last_index(),
                         log.last_epoch(), end_offset(), last_index(), last_epoch());
    }
    if (log.durable_end_offset() > log.end_offset() || log.log_start_offset() > log.end_offset()) {
      return "its offsets are out of order";
    }
    return {};
  }

  std::string check_read(PartitionLog& log, Offset from, std::uint64_t max_bytes, Offset below,
                         bool at_least_one) const {
    Result<LogSlice> slice = log.read(from, max_bytes, below, at_least_one);
    const bool outside = from < log.log_start_offset() || from > log.end_offset();
    if (!slice) {
      if (outside && slice.error().code == Errc::out_of_range) return {};
      return slice.error().message;
    }
    if (outside) return fmt::format("reading at {} should be refused", from);
    Result<SharedBytes> bytes = gather(slice->bytes);
    if (!bytes) return bytes.error().message;
    ByteView rest = bytes->view();
    Offset next = from;
    bool room = at_least_one;
    for (const ModelEntry& entry : entries_) {
      if (entry.is_raft() || entry.next <= from) continue;
      if (entry.next > below) {
        room = false;
        break;
      }
      if (rest.empty()) {
        room = room && next == from;
        break;
      }
      if (next == from && slice->first != entry.base) return "the slice begins elsewhere";
      if (next != from && bytes->size() > max_bytes) return "more bytes than asked for";
      if (rest.size() < entry.bytes.size() ||
          !std::equal(entry.bytes.view().begin(), entry.bytes.view().end(), rest.begin())) {
        return fmt::format("reading at {} gives other bytes at offset {}", from, entry.base);
      }
      rest = rest.subspan(entry.bytes.size());
      next = entry.next;
    }
    if (!rest.empty()) return fmt::format("reading at {} gives bytes beyond its bounds", from);
    if (slice->next != next) return fmt::format("next is {}, expected {}", slice->next, next);
    if (room && next == from && from < std::min(below, end_offset()) && rest.empty() &&
        bytes->empty()) {
      return fmt::format("reading at {} gives nothing", from);
    }
    return {};
  }

  std::string check_time(PartitionLog& log, Timestamp target, Offset below) const {
    std::optional<TimestampOffset> expected;
    std::optional<TimestampOffset> largest;
    for (const ModelEntry& entry : entries_) {
      for (Offset offset = entry.base; offset < entry.next; ++offset) {
        const Timestamp time = entry.first_timestamp + (offset - entry.base) * entry.timestamp_step;
        if (offset < log.log_start_offset() || offset >= below) continue;
        if (!expected && time >= target) expected = TimestampOffset{time, offset, entry.epoch};
        if (!largest || time > largest->timestamp) {
          largest = TimestampOffset{time, offset, entry.epoch};
        }
      }
    }
    const auto found = log.find_by_time(target, below);
    if (!found) return found.error().message;
    if (*found != expected) {
      return fmt::format("time {} is found at {}, expected {}", target,
                         found->has_value() ? (*found)->offset : -1,
                         expected ? expected->offset : -1);
    }
    // A batch that straddles the bound counts with all its records; only whole ones are compared.
    for (const ModelEntry& entry : entries_) {
      if (entry.base < below && entry.next > below) return {};
      if (entry.base < log.log_start_offset() && entry.next > log.log_start_offset()) return {};
    }
    const auto max = log.find_max_timestamp(below);
    if (!max) return max.error().message;
    if (*max != largest) {
      return fmt::format("the largest time is found at {}, expected {}",
                         max->has_value() ? (*max)->offset : -1, largest ? largest->offset : -1);
    }
    return {};
  }

 private:
  const ModelEntry& at(const Entries& entries, EntryIndex index) const {
    return entries[static_cast<std::size_t>(index - base_index_ - 1)];
  }
  void forget_before(EntryIndex start) {
    const auto count = static_cast<std::size_t>(
        std::clamp<EntryIndex>(start - 1 - base_index_, 0, last_index() - base_index_));
    if (count == 0) return;
    base_offset_ = entries_[count - 1].next;
    base_epoch_ = entries_[count - 1].epoch;
    base_index_ += static_cast<EntryIndex>(count);
    entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(count));
  }

  Entries entries_;              // behind base_index_
  std::vector<Entries> others_;  // what the disk may still have, before a cut
  EntryIndex base_index_ = 0;
  Offset base_offset_ = 0;
  LeaderEpoch base_epoch_ = no_leader_epoch;
  EntryIndex acked_ = 0;
  Offset acked_start_ = 0;
  Offset asked_start_ = 0;
};

}  // namespace chronik::wal::testing
