// GroupCommit: makes the dirty logs of one shard durable together. While one flush is in flight the
// next batch forms; there is no timer in the way of an ack. Per round: write all, sync all, then
// the listeners' on_durable(), then checkpoints that are due (behind the acks). Between two rounds
// the states that Raft keeps beside logs have theirs. Out of
// descriptors or space a round goes on in parts, or waits: nothing is lost by that, and it passes.
//
// One per shard, on the shard; disk work goes to the IoExecutor. After a fatal disk error no
// listener is called any more.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "wal/io_executor.h"
#include "wal/log_environment.h"
#include "wal/partition_log.h"
#include "wal/state_commit.h"

namespace chronik::wal {

struct GroupCommitOptions {
  /// A log is checkpointed when a restart would scan more than this of it ...
  std::uint64_t unsaved_log_bytes_max = 64u << 20;
  /// ... and the log with the longest tail when it is more than this over all logs of the shard.
  std::uint64_t unsaved_total_bytes_max = 192u << 20;
  /// A log without appends for this long is checkpointed by tick(), so that a restart scans
  /// nothing.
  milliseconds idle_checkpoint{10'000};
  /// Logs that one round takes: each holds a file open until the round ends.
  std::size_t round_logs_max = 256;
  /// Where what the journal needs behind the acknowledgements is done, so that these do not wait
  /// for it; nullptr: where all else is.
  IoExecutor* behind = nullptr;
  /// Called on the shard when tick() has become worth calling: see next_tick().
  std::function<void()> on_tick_wanted;
};

class GroupCommit {
 public:
  using Done = std::function<void()>;

  GroupCommit(LogEnvironment& environment, IoExecutor& executor, GroupCommitOptions options = {});
  /// Precondition: nothing in flight (stop() is done, or the executor was abandoned).
  ~GroupCommit();
  GroupCommit(const GroupCommit&) = delete;
  GroupCommit& operator=(const GroupCommit&) = delete;

  /// Ties the log to this group until it ends: every log that was opened, so that its tail is
  /// checkpointed in time.
  void add(PartitionLog& log);
  /// The log has something to make durable. Cheap, idempotent; starts a round when none is in
  /// flight. Ties the log to this group if that was not done.
  void mark_dirty(PartitionLog& log);
  /// Forgets the log; a flush in flight goes on without it. PartitionLog's destructor calls it.
  void remove(PartitionLog& log);

  /// Makes states that Raft keeps beside logs durable, many by one sync; `done` on the shard once
  /// they are, never when the disk failed. They are written in the order of the calls, and before
  /// any flush that is asked for after the call.
  void save_states(std::vector<StateWrite> writes, Done done);

  /// Ends the log of a deleted partition: its directory is renamed aside, which makes the deletion
  /// durable (then `done`), and removed slice by slice between flushes.
  void destroy(std::unique_ptr<PartitionLog> log, Done done);
  /// Removes a directory that an earlier run had set aside.
  void remove_directory(std::string path);

  /// Periodic work: syncs due by flush.ms, checkpoints of idle logs. Wanted at next_tick() or
  /// later; nothing there: no wake-up is wanted until on_tick_wanted.
  void tick(SteadyTime now);
  std::optional<SteadyTime> next_tick() const;

  /// Flushes and checkpoints all logs; then `done`. Removals that have not finished go on at the
  /// next start. Nothing may be marked dirty afterwards.
  void stop(Done done);

  /// Whether anything that was begun for the log, or on files that were its, is not done yet.
  bool works_on(const PartitionLog& log) const;
  bool busy() const;
  bool failed() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace chronik::wal
