// CheckpointPass: checkpoints of many logs that cost no sync of their own. They are written before
// a sync of the whole file system, which the journal needs anyway (wal/journal_commit.h), and take
// their names behind it. These names are not synced: a crash may bring back the checkpoint before,
// with which a start scans more. So nothing else counts on such a checkpoint: no file goes, and no
// log start is durable by it.
//
// Owned by a GroupCommit, on its shard. Its disk work runs where the flushes do, so that each
// checkpoint is written right behind the flush that it covers, and a cut of its log comes either
// before its name is taken, and is seen, or behind it.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "wal/commit_round.h"
#include "wal/io_executor.h"

namespace chronik::wal {

/// The logs with the longest tails, so many of them that a restart would scan no more than
/// `left_max`, and at most `count_max`; not those that have a checkpoint under way, nor those with
/// entries that no flush has taken unless `dirty_too`. `bytes`: what it would scan now.
std::vector<PartitionLog*> longest_tails(const std::vector<PartitionLog*>& logs,
                                         std::uint64_t left_max, std::size_t count_max,
                                         bool dirty_too, std::uint64_t& bytes);

class CheckpointPass : public std::enable_shared_from_this<CheckpointPass> {
 public:
  struct Hooks {
    /// All are written: the sync may begin, with sync_begins() and sync_ended().
    std::function<void()> on_written;
    /// A checkpoint counts now, or was given up; its log says how much there is still to be saved.
    std::function<void(PartitionLog&, std::uint64_t unsaved_before)> on_ended;
    /// Something on the disk is done, or has failed.
    std::function<void()> on_done;
  };

  CheckpointPass(IoExecutor& executor, Hooks hooks)
      : executor_(executor), hooks_(std::move(hooks)) {}

  bool idle() const { return phase_ == Phase::idle; }
  /// Whether the next sync is the one that it waits for, or none of its is.
  bool syncs_next() const { return phase_ != Phase::writing; }
  /// Whether something is done for it on the disk.
  bool busy() const { return !batches_.empty(); }
  bool failed() const { return failed_; }
  /// Waits for take() of each of these. Precondition: idle(), at least one log.
  void begin(const std::vector<PartitionLog*>& logs);
  /// The log, whose entries are all taken by flushes, has its turn.
  std::optional<CheckpointJob> take(PartitionLog& log);
  /// What was taken, once the flushes that were begun before are done.
  void write(std::vector<CheckpointItem> items);
  void sync_begins();
  void sync_ended(bool done);
  /// Begins nothing: what it was waiting for has its turn with go_on().
  void forget(PartitionLog& log);
  /// Now and then.
  void go_on() { advance(); }
  /// Gives up what has no name yet, and begins nothing more.
  void stop();

 private:
  enum class Phase { idle, writing, written, syncing, publishing };
  using Batch = std::shared_ptr<std::vector<CheckpointItem>>;

  void end_write(const Batch& batch);
  void advance();
  void publish();
  void end_publish(const Batch& batch);
  void give_up(CheckpointItem& item);
  void give_up_all();

  IoExecutor& executor_;
  const Hooks hooks_;
  Phase phase_ = Phase::idle;
  std::size_t left_ = 0;        // not written yet, or not even taken
  std::vector<Batch> batches_;  // on the disk
  std::vector<CheckpointItem> written_;
  bool stopped_ = false;
  bool failed_ = false;
};

}  // namespace chronik::wal
