// LogStore: a group's log as Raft sees it, over the partition log (wal/partition_log.h), and the
// part of Ready that belongs on it. One record batch is one entry; what Raft adds of its own lies
// there as raft/multi/log_entry.h says.
//
// Owned by the group's Replica, on its shard. Entries are written by the shard's group commit; what
// came last is kept in memory up to a bound, so that applying it and sending it reads no file.
//
//   log().start_index() <= first_index() (they are equal but for what is hidden); entries of
//   [recent_begin(), last_index()] are in memory
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "base/fifo.h"
#include "base/result.h"
#include "raft/core/ready.h"
#include "raft/core/storage.h"
#include "raft/multi/commit_offsets.h"
#include "raft/multi/recent_budget.h"
#include "wal/group_commit.h"
#include "wal/partition_log.h"

namespace chronik::raft {

class LogStore final : public Storage {
 public:
  LogStore(std::unique_ptr<wal::PartitionLog> log, wal::GroupCommit& group_commit);
  ~LogStore() override;
  LogStore(const LogStore&) = delete;
  LogStore& operator=(const LogStore&) = delete;

  /// From here on the last entries are kept in memory, as far as it goes. `budget` outlives this.
  void keep_recent(RecentBudget& budget) { recent_budget_ = &budget; }

  Index first_index() const override { return std::max(log_->start_index(), hidden_ + 1); }
  Index last_index() const override { return log_->last_index(); }
  Term term(Index index) const override;
  std::optional<std::vector<Entry>> entries(Index begin, Index end,
                                            std::uint64_t bytes_max) const override;
  SnapshotMeta snapshot() const override { return snapshot_; }
  void set_snapshot(SnapshotMeta meta) { snapshot_ = std::move(meta); }

  /// Takes over the entries: those that contradict go, base offsets and epochs are set, and the log
  /// is marked dirty. Payloads are patched in place (both fields lie outside of the checksum), so
  /// this comes before they are sent. `offsets` (may be null) is told where each one ends. Returns
  /// the first index that was cut, or 0. Errors: io, corrupt of a cut; then the log is poisoned.
  Result<Index> append(const std::vector<Entry>& entries, CommitOffsets* offsets = nullptr);
  /// The log goes on behind a snapshot, whose part of it is `begin`. Durable once
  /// log().cut_pending() is false.
  void restart(const SnapshotMeta& meta, wal::Checkpoint begin);
  /// Entries up to `index` are for nobody any more, though they are there.
  void hide_up_to(Index index) {
    hidden_ = index;
    // It may have been all, in a segment that would take more.
    log_->seal_behind(index);
  }

  /// The bytes of entries from `begin` on, about `bytes_max` of them, to be gathered on the I/O
  /// thread. Errors: out_of_range (they are gone), io, corrupt.
  Result<wal::EntrySlice> slice(Index begin, std::uint64_t bytes_max);
  /// What gather() made of a slice that begins at `begin`; those of [begin, end). Only as long as
  /// cuts() is what it was when the slice was made. Errors: corrupt, unsupported, with the log's
  /// directory and the index.
  Result<std::vector<Entry>> parse(const SharedBytes& bytes, Index begin, Index end) const;

  /// What is kept in memory is not wanted soon: all of it was applied, and everybody has it.
  void forget_recent();
  /// How often entries have been replaced by others.
  std::uint64_t cuts() const { return cuts_; }

  /// Memberships of all entries of the log behind `base`, `base` first. Errors: io, corrupt,
  /// unsupported.
  Result<std::vector<MembershipAt>> memberships(MembershipAt base);

  /// Nothing else may be called any more.
  std::unique_ptr<wal::PartitionLog> take_log() { return std::move(log_); }
  bool has_log() const { return log_ != nullptr; }
  wal::PartitionLog& log() { return *log_; }
  const wal::PartitionLog& log() const { return *log_; }

 private:
  void remember(const Entry& entry);
  void drop_oldest();

  std::unique_ptr<wal::PartitionLog> log_;
  wal::GroupCommit& group_commit_;
  RecentBudget* recent_budget_ = nullptr;
  Fifo<Entry> recent_;  // the last ones, without a gap
  std::uint64_t recent_bytes_ = 0;
  std::uint64_t cuts_ = 0;
  Index hidden_ = 0;
  SnapshotMeta snapshot_;
};

}  // namespace chronik::raft
