// PartitionLog: the log of one partition: a directory of segments, each the plain concatenation of
// v2 record batches (wal/format.md). One batch is one entry; its leader epoch is its Raft term and
// entries count from index 1. An entry whose last_offset_delta is -1 is Raft's own: it takes no
// Kafka offset, and read() steps over it.
//
// Owned by one shard; all calls on that shard, except FlushJob::write(), sync() and
// CheckpointJob::run(), which only do I/O and run on the I/O thread, one at a time, in the order in
// which they were begun. GroupCommit (wal/group_commit.h) drives them; flush() and close() here do
// the same in place for tools, tests and the start.
//
//   log_start_offset <= durable_end_offset <= end_offset
//   what begin_flush() took is durable, in order, when its end_flush() has returned
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "protocol/record_batch.h"
#include "wal/checkpoint.h"
#include "wal/derived_state.h"
#include "wal/epoch_cache.h"
#include "wal/flush_job.h"
#include "wal/log_environment.h"
#include "wal/log_settings.h"
#include "wal/segment.h"

namespace chronik::wal {

class GroupCommit;
class PartitionLog;

/// Whole batches as they lie in the log.
struct LogSlice {
  ByteChain bytes;   // ranges of the segment file, or memory for what is not yet written
  Offset first = 0;  // base offset of the first batch; the offset asked for when empty
  Offset next = 0;   // where the next read goes on
};

/// Whole entries, Raft's own included.
struct EntrySlice {
  ByteChain bytes;
  EntryIndex next = 0;
};

struct TimestampOffset {
  Timestamp timestamp = 0;
  Offset offset = 0;
  LeaderEpoch leader_epoch = no_leader_epoch;

  bool operator==(const TimestampOffset&) const = default;
};

struct SegmentInfo {
  Offset base_offset = 0;
  std::uint64_t size_bytes = 0;
  Timestamp max_timestamp = 0;  // -1: no record with a time
  bool active = false;
};

class DurableListener {
 public:
  virtual ~DurableListener() = default;
  /// durable_end_offset() or durable_log_start_offset() has moved. May append, read and mark dirty.
  virtual void on_durable(PartitionLog& log) = 0;
};

/// Copies a chain into memory, reading its file ranges. Errors: io; corrupt when a file is shorter.
Result<SharedBytes> gather(const ByteChain& chain);

class PartitionLog {
 public:
  /// Opens the log in `directory`; a missing directory is an empty log, and nothing is made before
  /// the first flush. Recovery (wal/format.md, "Recovery"): reads what lies behind the checkpoint,
  /// cuts a torn tail (counted, logged), restores `derived` (may be nullptr) and makes durable what
  /// it accepts, so that afterwards durable_end_offset() == end_offset().
  /// Errors: corrupt with file, position and the command that helps; invalid_argument when the
  /// directory belongs to another topic id; unsupported for a newer format; io.
  static Result<std::unique_ptr<PartitionLog>> open(LogEnvironment& environment,
                                                    std::string directory, LogIdentity identity,
                                                    SharedLogSettings settings,
                                                    DerivedState* derived);
  /// A log that is known to be new: no I/O. A directory of another topic id that is still there is
  /// set aside by the first flush.
  static std::unique_ptr<PartitionLog> create(LogEnvironment& environment, std::string directory,
                                              LogIdentity identity, SharedLogSettings settings,
                                              DerivedState* derived);
  /// Drops what is not durable. Leaves its GroupCommit first.
  ~PartitionLog();
  PartitionLog(const PartitionLog&) = delete;
  PartitionLog& operator=(const PartitionLog&) = delete;

  const LogIdentity& identity() const { return identity_; }
  const std::string& directory() const { return directory_; }
  const LogSettings& settings() const { return *settings_; }
  /// Takes effect with the next append, flush and retention pass.
  void set_settings(SharedLogSettings settings);
  void set_listener(DurableListener* listener) { listener_ = listener; }

  Offset log_start_offset() const { return start_offset_; }
  /// The log start that a restart would come back with.
  Offset durable_log_start_offset() const { return durable_start_offset_; }
  /// The next offset to assign; includes what is not yet durable.
  Offset end_offset() const { return end_offset_; }
  /// Entries below it may be acknowledged and shown (LogSettings::flush_mode says how safe).
  Offset durable_end_offset() const { return durable_end_offset_; }
  /// Index of the first entry still in the log; last_index() + 1 when there is none.
  EntryIndex start_index() const;
  /// 0 when there never was one.
  EntryIndex last_index() const { return last_index_; }
  EntryIndex durable_last_index() const { return durable_last_index_; }
  LeaderEpoch last_epoch() const { return epochs_.latest(); }
  std::uint64_t size_bytes() const;
  std::vector<SegmentInfo> segments() const;
  const RecoveryReport& recovery() const { return recovery_; }

  /// Adds an entry. The bytes are kept by reference until they are written and must not change.
  /// Nothing is durable. Preconditions (CHECKed): one whole v2 batch, base_offset == end_offset(),
  /// leader epoch >= last_epoch(), CRC right (not checked here). Rolls the segment when it must.
  void append(SharedBytes batch);
  /// Whether an append of `bytes` may be made now. Errors: no_space, with figures; nothing else.
  Result<void> admit(std::uint64_t bytes);

  /// Whole batches from the one that holds `from`, only batches that end at or below `below`, at
  /// most max_bytes, but the first one whatever its size when at_least_one. Ends at a segment's
  /// end. Empty when there is nothing below `below`. Errors: out_of_range (from < log start or
  /// > end), io, corrupt.
  Result<LogSlice> read(Offset from, std::uint64_t max_bytes, Offset below, bool at_least_one);
  /// Entries from index `from` (written or not), for replication. At least one when there is one.
  /// Errors: out_of_range (from < start_index() or > last_index() + 1), io, corrupt.
  Result<EntrySlice> read_entries(EntryIndex from, std::uint64_t max_bytes);
  /// The epoch of an entry; nothing when the log does not have it.
  std::optional<LeaderEpoch> epoch_at(EntryIndex index) const;

  /// The first record at or after log start with a timestamp >= target, below `below`; nothing when
  /// there is none. Decompresses at most a few batches. Errors: io, corrupt.
  Result<std::optional<TimestampOffset>> find_by_time(Timestamp target, Offset below);
  /// The first record that carries the largest timestamp below `below` (ListOffsets -3).
  Result<std::optional<TimestampOffset>> find_max_timestamp(Offset below);

  /// OffsetForLeaderEpoch: the largest epoch <= `epoch` that the log knows and where it ends;
  /// nothing when `epoch` is newer than all, or negative.
  std::optional<EpochEnd> end_offset_for_epoch(LeaderEpoch epoch) const;
  /// A leader takes over with `epoch` (>= last_epoch()): the epoch starts at end_offset() even if
  /// no entry follows. Forgotten by a restart until an entry carries it: the leader calls it again.
  void start_epoch(LeaderEpoch epoch);

  /// DeleteRecords: the log starts at `offset`. Durable once durable_log_start_offset() has moved:
  /// mark dirty. An offset below the start changes nothing. Errors: out_of_range (> durable end).
  Result<void> delete_before(Offset offset);
  /// Drops old segments by retention.ms and retention.bytes; rolls the active one first if it is
  /// due. `now` is what RetentionClock (wal/retention.h) makes of the wall clock. Returns how many
  /// segments go; their files go after the next checkpoint: mark dirty.
  std::size_t apply_retention(Timestamp now);
  /// Removes all entries behind index `last_kept`, durable or not, for replication: mark dirty.
  /// No later entry is written before the cut is durable. Errors: out_of_range, io, corrupt.
  Result<void> truncate_after(EntryIndex last_kept);

  /// Whether a flush would do anything.
  bool dirty() const;
  /// Takes all entries appended so far. One job at a time: end_flush() comes before the next.
  FlushJob begin_flush();
  /// Moves the durable ends to what the job covers. Does not call the listener. A failed job is
  /// fatal (on_fatal was called by the job) and moves nothing.
  void end_flush(FlushJob job);
  /// Whether a checkpoint should follow the flush that was just begun: the tail has grown, a
  /// segment was rolled, the log start moved.
  bool checkpoint_due() const;
  /// Bytes that a restart would scan.
  std::uint64_t unsaved_bytes() const;
  /// The state as of end_offset(). Precondition: begin_flush() has just taken all entries. The job
  /// must run after that flush's sync().
  CheckpointJob begin_checkpoint();
  /// Moves the durable log start; what it made superfluous is added to take_removals().
  void end_checkpoint(CheckpointJob job);
  /// Paths of files that are no longer part of the log, to be removed slice by slice.
  std::vector<std::string> take_removals();

  /// Flush, here and now. Errors: io, no_space; then the log is poisoned.
  Result<void> flush();
  /// Flush and checkpoint, so that the next open() scans nothing. The log takes no more appends.
  Result<void> close();

 private:
  friend class GroupCommit;

  PartitionLog(LogEnvironment& environment, std::string directory, LogIdentity identity,
               SharedLogSettings settings, DerivedState* derived);

  LogEnvironment& environment_;
  const std::string directory_;
  const LogIdentity identity_;
  SharedLogSettings settings_;
  DerivedState* derived_;
  DurableListener* listener_ = nullptr;
  GroupCommit* group_ = nullptr;

  Offset start_offset_ = 0;
  Offset durable_start_offset_ = 0;
  Offset end_offset_ = 0;
  Offset durable_end_offset_ = 0;
  EntryIndex last_index_ = 0;
  EntryIndex durable_last_index_ = 0;
  EpochCache epochs_;
  std::vector<std::unique_ptr<Segment>> segments_;
  RecoveryReport recovery_;
};

}  // namespace chronik::wal
