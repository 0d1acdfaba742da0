// PartitionLog: the log of one partition: a directory of segments, each the plain concatenation of
// v2 record batches (wal/format.md). One batch is one entry; its leader epoch is its Raft term and
// entries count from index 1. An entry whose last_offset_delta is -1 is Raft's own: it takes no
// Kafka offset, and read() steps over it.
//
// Owned by one shard; all calls on that shard, except the disk work of FlushJob and
// CheckpointJob, which only do I/O and run on the I/O thread, one at a time, in the order in
// which they were begun. GroupCommit (wal/group_commit.h) drives them; flush() and close() here do
// the same in place for tools, tests and the start.
//
//   log_start_offset <= durable_end_offset <= end_offset
//   what begin_flush() took is durable, in order, when its end_flush() has returned
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "protocol/record_batch.h"
#include "wal/batch_scan.h"
#include "wal/checkpoint.h"
#include "wal/compaction_state.h"
#include "wal/derived_state.h"
#include "wal/epoch_cache.h"
#include "wal/flush_job.h"
#include "wal/flush_work.h"
#include "wal/group_slot.h"
#include "wal/log_environment.h"
#include "wal/log_settings.h"
#include "wal/log_slice.h"
#include "wal/read_hint.h"
#include "wal/segment.h"

namespace chronik::wal {

class LogBeginReceiver;
class PartitionLog;

class DurableListener {
 public:
  virtual ~DurableListener() = default;
  /// durable_end_offset() or durable_log_start_offset() has moved. May append, read and mark dirty.
  virtual void on_durable(PartitionLog& log) = 0;
};

class PartitionLog {
 public:
  /// Opens the log in `directory`; a missing one is an empty log, made by the first flush. Recovery
  /// (wal/format.md, "Recovery"): reads what lies behind the checkpoint, cuts a torn tail (counted,
  /// logged), restores `derived` (may be nullptr) and makes durable what it accepts, but for what
  /// `sync` says is: afterwards durable_end_offset() == end_offset(). Errors: corrupt with file,
  /// position and the command that helps; invalid_argument (another topic id's); unsupported; io.
  static Result<std::unique_ptr<PartitionLog>> open(LogEnvironment& environment,
                                                    std::string directory, LogIdentity identity,
                                                    SharedLogSettings settings,
                                                    DerivedState* derived,
                                                    DirectorySync sync = DirectorySync::unknown);
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
  /// At least here a restart would start the log. After open() 0 until the first checkpoint: the
  /// one that was found may not be durable itself.
  Offset durable_log_start_offset() const { return durable_start_offset_; }
  /// The next offset to assign; includes what is not yet durable.
  Offset end_offset() const { return end_offset_; }
  /// Entries below it may be acknowledged and shown (LogSettings::flush_mode says how safe).
  Offset durable_end_offset() const { return durable_end_offset_; }
  /// Of the first entry still in the log; last_index() + 1: none. What is compacted has none.
  EntryIndex start_index() const;
  /// Compaction (wal/log_compaction.h) has seen everything below.
  Offset first_dirty_offset() const;
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
  /// Each has the offset and epoch that it was given, which no checksum of the batch covers.
  /// Errors: out_of_range (from < start_index() or > last_index() + 1), io, corrupt.
  Result<EntrySlice> read_entries(EntryIndex from, std::uint64_t max_bytes);
  /// The epoch of an entry, or of the one in front of the first; nothing where there is none.
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

  /// DeleteRecords: the log starts at `offset`. Durable once durable_log_start_offset() has come
  /// there: mark dirty. An offset below the start may have to become durable too. Entries behind
  /// `last` may still be cut, and keep their segment: Raft's own take no offset. Errors:
  /// out_of_range (> durable end).
  Result<void> delete_before(Offset offset, EntryIndex last = every_entry);
  /// The active segment takes no more entries once its first record is so old (segment.ms,
  /// max.compaction.lag.ms), also when nothing is appended. `now` as for apply_retention().
  void seal_if_due(Timestamp now);
  /// Drops segments by retention.ms and .bytes that end at or below `below` with no entry behind
  /// `last`; rolls the active one if due. Returns how many; their files go once marked dirty.
  /// `now`: RetentionClock's.
  std::size_t apply_retention(Timestamp now, Offset below = every_offset,
                              EntryIndex last = every_entry);
  /// Removes all entries behind index `last_kept`, durable or not: mark dirty. No later entry is
  /// written before that is durable. Errors: out_of_range (below the log's start too), io, corrupt.
  Result<void> truncate_after(EntryIndex last_kept);
  /// What lies before entry `first`, with the derived state there: for a replica that has nothing
  /// (wal/log_begin.h). Nothing where no segment ends right before it.
  std::optional<Checkpoint> begin_before(EntryIndex first) const;
  /// Where the log ends with entry `last` a new segment follows; so begin_before() knows the place.
  void seal_behind(EntryIndex last);
  /// For what begin_before() of another replica gives (wal/log_begin.h).
  LogBeginReceiver receive_begin();
  /// Gives up all it has; the log goes on behind the entries that `begin` covers, whose segments
  /// lie in its directory as received files: mark dirty. A compaction under way is for nothing.
  void restart_at(Checkpoint begin);
  /// A truncation or a restart is not durable yet.
  bool cut_pending() const { return truncate_.has_value() || cut_in_flight_; }
  /// Entries of Raft's own with their index, oldest first. Errors: io, corrupt.
  Result<std::vector<OwnEntry>> own_entries();

  /// Whether a flush would do anything.
  bool dirty() const;
  /// Takes all entries appended so far. One job at a time: end_flush() comes before the next.
  /// `force_sync` syncs in page-cache mode too, what earlier flushes left included.
  FlushJob begin_flush(bool force_sync = false);
  /// Moves the durable ends to what the job covers. Does not call the listener. A failed job is
  /// fatal (on_fatal was called by the job) and moves nothing.
  void end_flush(FlushJob job);
  /// Whether a checkpoint should follow the flush that was just begun: the tail has grown, a
  /// segment was rolled, the log start moved.
  bool checkpoint_due() const;
  /// Bytes that a restart would scan.
  std::uint64_t unsaved_bytes() const { return unsaved_bytes_; }
  /// Whether the page cache holds bytes that were acknowledged but not synced (FlushMode).
  bool has_unsynced() const { return unsynced_segment_.has_value(); }
  /// The segment that holds them.
  std::optional<UnsyncedFile> unsynced_file() const;
  /// All that was in the file when unsynced_file() gave it is synced.
  void end_sync(const UnsyncedFile& file);
  bool flush_in_flight() const { return flush_in_flight_; }
  bool checkpoint_in_flight() const { return checkpoint_in_flight_; }
  /// The state as of end_offset(). Precondition: begin_flush() has just taken all entries. The job
  /// must run when that flush is synced.
  CheckpointJob begin_checkpoint(CheckpointKind kind = CheckpointKind::synced);
  /// Moves the durable log start; what it made superfluous is added to take_removals().
  void end_checkpoint(CheckpointJob job);
  /// Instead, for a job that starved: what it was to do is left to the next checkpoint.
  void give_up_checkpoint(CheckpointJob job);
  /// Instead, for an unsynced one.
  void drop_checkpoint(CheckpointJob job);
  /// Whether the log is still what the job has seen, and no cut is on its way.
  bool is_current(const CheckpointJob& job) const;
  /// Paths of files that are no longer part of the log, to be removed slice by slice.
  std::vector<std::string> take_removals();

  /// Flush, here and now. Errors: io, no_space; then the log is poisoned.
  Result<void> flush();
  /// Flush and checkpoint, so that the next open() scans nothing. The log takes no more appends.
  Result<void> close();

 private:
  friend class CheckpointPass;
  friend class GroupCommit;
  friend class JournalCommit;
  friend class LogCompaction;

  using VisitEntry = std::function<bool(const EntryPlace&)>;

  PartitionLog(LogEnvironment& environment, std::string directory, LogIdentity identity,
               SharedLogSettings settings, DerivedState* derived);
  LogPlace place() const;
  std::string path(const Segment& segment, std::string_view suffix) const;
  IndexOwner index_owner(const Segment& segment) const;
  Error damaged(const Segment& segment, const std::string& what) const;
  Error below_start(EntryIndex last_kept) const;

  bool must_roll(const Segment& active, const protocol::BatchHeader& header) const;
  EntryIndex first_index() const;
  Segment& start_segment();
  Segment* segment_at(Offset base_offset) const;
  /// The segment that holds `offset`, or the last one that begins before it.
  std::size_t segment_index_of(Offset offset) const;
  Offset segment_end_offset(std::size_t number) const;
  EntryIndex segment_end_index(std::size_t number) const;
  bool is_durable(std::size_t number) const;
  Result<std::shared_ptr<File>> log_file(Segment& segment);

  /// The last index entry for which `before` holds; the segment's beginning when none does.
  Result<IndexEntry> find_index(Segment& segment, const IndexPredicate& before);
  Result<void> rebuild_index(Segment& segment);
  /// Entries of the segment from `position` on, written or not, until `visit` says false.
  Result<void> walk(Segment& segment, std::uint64_t position, const VisitEntry& visit);
  template <class Visit>
  void for_tail(Visit visit) const;
  Result<SharedBytes> entry_bytes(Segment& segment, const EntryPlace& place);

  Result<Boundary> locate(Segment& segment, Offset offset);
  Result<Boundary> locate_end(Segment& segment, Offset below);
  Result<Boundary> fill(Segment& segment, Boundary begin, std::uint64_t position_max,
                        std::uint64_t position_end, bool at_least_one);
  Result<void> append_file_ranges(Segment& segment, std::uint64_t begin, std::uint64_t end,
                                  ByteChain& chain);
  void read_tail(Offset from, std::uint64_t max_bytes, Offset below, bool at_least_one,
                 LogSlice& slice) const;
  void remember(const Segment& segment, Boundary at);
  Result<Timestamp> max_timestamp_of(std::size_t number, Offset below);

  void drop_front(std::size_t count, Offset start);
  void take_begin(Checkpoint begin, TruncateWork& work);
  bool flush_wanted() const;
  Checkpoint state() const;
  EntryIndex last_index_on_disk() const;
  Result<void> cut_segment(Segment& segment, EntryIndex last_kept);
  Result<void> cut_derived();
  void cut_tail(EntryIndex last_kept);

  LogEnvironment& environment_;
  const std::string directory_;
  const LogIdentity identity_;
  SharedLogSettings settings_;
  DerivedState* derived_;
  DurableListener* listener_ = nullptr;
  GroupSlot group_;

  Offset start_offset_ = 0;
  Offset durable_start_offset_ = 0;
  Offset end_offset_ = 0;
  Offset durable_end_offset_ = 0;
  EntryIndex last_index_ = 0;
  EntryIndex durable_last_index_ = 0;
  EpochCache epochs_;
  std::vector<std::unique_ptr<Segment>> segments_;
  std::array<ReadHint, 2> hints_;
  CompactionState compaction_;
  RecoveryReport recovery_;

  std::shared_ptr<Tail> tail_;         // appended, not yet taken
  std::shared_ptr<Tail> in_flight_;    // taken by the flush under way
  std::size_t in_flight_visible_ = 0;  // of its entries; a truncation hides some
  std::optional<TruncateWork> truncate_;
  std::optional<Offset> unsynced_segment_;
  std::optional<Offset> recovered_segment_;  // the active one at open(), until the first flush
  std::uint64_t flushes_begun_ = 0;
  std::uint64_t generation_ = 0;  // of what in-flight jobs know about positions
  std::uint64_t unsaved_bytes_ = 0;
  std::vector<std::string> removals_;       // wait for the next checkpoint
  std::vector<std::string> removals_done_;  // for take_removals()
  bool directory_made_ = false;
  bool flush_in_flight_ = false;
  bool cut_in_flight_ = false;
  bool checkpoint_in_flight_ = false;
  bool checkpoint_wanted_ = false;
  bool poisoned_ = false;
  bool closed_ = false;
};

}  // namespace chronik::wal
