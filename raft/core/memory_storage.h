// MemoryStorage: a log in a vector, for tests, simulation and benchmarks. It holds what its owner
// says is on disk, and can pretend that old entries are not in memory.
#pragma once

#include <algorithm>

#include "raft/core/ready.h"
#include "raft/core/storage.h"

namespace chronik::raft {

class MemoryStorage : public Storage {
 public:
  MemoryStorage() = default;
  explicit MemoryStorage(Membership start) { snapshot_.membership = std::move(start); }

  Index first_index() const override { return first_; }
  Index last_index() const override { return first_ + static_cast<Index>(entries_.size()) - 1; }
  Term term(Index index) const override {
    if (index == first_ - 1) return term_before_first_;
    CHECK(index >= first_ && index <= last_index());
    return at(index).term;
  }
  std::optional<std::vector<Entry>> entries(Index begin, Index end,
                                            std::uint64_t bytes_max) const override {
    if (begin < in_memory_from) return std::nullopt;
    return read(begin, end, bytes_max);
  }
  SnapshotMeta snapshot() const override { return snapshot_; }

  /// As entries(), from "disk".
  std::vector<Entry> read(Index begin, Index end, std::uint64_t bytes_max) const {
    CHECK(begin >= first_ && begin < end && end <= last_index() + 1);
    std::vector<Entry> result;
    std::uint64_t bytes = 0;
    for (Index index = begin; index < end; ++index) {
      bytes += at(index).bytes();
      if (!result.empty() && bytes > bytes_max) break;
      result.push_back(at(index));
    }
    return result;
  }

  /// Writes what a Ready wants to be persisted (its log part).
  void persist(const std::optional<SnapshotMeta>& install, const std::vector<Entry>& entries) {
    if (install) {
      entries_.clear();
      first_ = install->index + 1;
      term_before_first_ = install->term;
      snapshot_ = *install;
    }
    if (!entries.empty()) cut_from(entries.front().index);
    for (const Entry& entry : entries) {
      CHECK(entry.index == last_index() + 1);
      entries_.push_back(entry);
    }
  }
  void cut_from(Index index) {
    CHECK(index >= first_);
    if (index <= last_index()) entries_.resize(static_cast<std::size_t>(index - first_));
  }
  /// A snapshot of the state at `meta.index`; the log before `keep_from` goes.
  void compact(SnapshotMeta meta, Index keep_from) {
    CHECK(meta.index >= snapshot_.index && keep_from <= meta.index + 1 && keep_from >= first_);
    term_before_first_ = term(keep_from - 1);
    entries_.erase(entries_.begin(), entries_.begin() + (keep_from - first_));
    first_ = keep_from;
    snapshot_ = std::move(meta);
  }
  /// Memberships of the snapshot and of the entries behind it, as Recovered wants them.
  std::vector<MembershipAt> memberships() const {
    std::vector<MembershipAt> result{{snapshot_.index, snapshot_.membership}};
    for (const Entry& entry : entries_) {
      if (entry.kind != EntryKind::membership || entry.index <= snapshot_.index) continue;
      result.push_back({entry.index, decode_membership(entry.payload).value()});
    }
    return result;
  }

  Index in_memory_from = 0;  // entries before it have to be read by on_entries_read()

 private:
  const Entry& at(Index index) const { return entries_[static_cast<std::size_t>(index - first_)]; }

  std::vector<Entry> entries_;
  Index first_ = 1;
  Term term_before_first_ = 0;
  SnapshotMeta snapshot_;
};

}  // namespace chronik::raft
