// JournalCommit: what a GroupCommit does with its shard's journal: chooses which appends of a round
// go there, knows which logs have frames that their segments do not make superfluous yet, and syncs
// these segments behind the acknowledgements, in time for the files of the journal to come round.
//
// Owned by the GroupCommit, on its shard; a shard without a journal has one that does nothing.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "wal/commit_round.h"
#include "wal/io_executor.h"
#include "wal/log_environment.h"
#include "wal/state_write.h"
#include "wal/unsynced_files.h"

namespace chronik::wal {

/// What goes along with a sync of the whole file system.
class WholeSyncRider {
 public:
  virtual ~WholeSyncRider() = default;
  /// One is due. False: not yet; sync_whole() comes later.
  virtual bool ready() = 0;
  virtual void sync_begins() = 0;
  virtual void sync_ended(bool done) = 0;
};

class JournalCommit : public std::enable_shared_from_this<JournalCommit> {
 public:
  /// `on_done`: something that was begun behind the acknowledgements has ended.
  JournalCommit(LogEnvironment& environment, IoExecutor& executor,
                std::weak_ptr<WholeSyncRider> rider, std::function<void()> on_done)
      : environment_(environment),
        executor_(executor),
        rider_(std::move(rider)),
        on_done_(std::move(on_done)) {}

  /// Before the round is flushed, in whole or in part: chooses, and reserves the place.
  void plan(Round& round);
  /// Of states that belong to `directory` each: a frame that takes them all; nothing: they are
  /// synced in place.
  std::optional<FramePlace> place_for(const std::vector<StateWrite>& states, std::uint64_t& bytes);
  /// The round, or a part of it, was written and synced. Before the first flushed().
  void took(const Round& round);
  void take_frame(const FramePlace& frame, std::uint64_t bytes);
  /// The frame has what was written to the file without a sync.
  void saved(const std::string& path, std::uint64_t lsn) { files_.add(path, lsn); }
  /// The log has ended the flush of a round that wrote frame `lsn`.
  void flushed(PartitionLog& log, bool journaled, std::uint64_t lsn);
  /// A checkpoint of the log is durable.
  void checkpointed(PartitionLog& log);
  /// The log object ends; its segment may have to be synced all the same.
  void forget(PartitionLog& log);
  /// Begins what should be done behind the acknowledgements.
  void pace();
  /// Now and then. What waits is synced when nothing was written since the last call: the next
  /// burst finds the journal empty, and no sync in its way.
  void tick();
  /// Whether so many logs are better synced by a call for their file system.
  bool syncs_whole(std::size_t logs) const;
  /// Syncs it now, or once the sync under way has ended.
  void sync_whole();
  /// Whether there are frames that a segment or a state's file needs.
  bool holds_any() const { return !slots_.empty() || !files_.empty(); }
  /// Whether that is so much that tick() should find out soon that nothing comes any more.
  bool holds_much();
  /// Begins nothing more.
  void stop() { stopped_ = true; }

  bool works_on(const PartitionLog& log) const;
  bool busy() const { return syncing_ != nullptr || making_; }
  bool failed() const { return failed_; }

 private:
  /// The first frames of a log that its segment has not synced.
  struct Slot {
    std::uint64_t from = 0;
    std::uint64_t next = 0;  // the first one that a sync under way does not cover
    bool syncing = false;
  };
  struct Waiting {
    std::uint64_t lsn = 0;
    PartitionLog* log = nullptr;
  };
  struct SyncItem {
    PartitionLog* log = nullptr;  // nullptr: gone meanwhile
    UnsyncedFile file;
  };
  struct SyncJob {
    std::vector<SyncItem> items;
    std::vector<std::string> files;   // of files_
    FileSystemSync* whole = nullptr;  // syncs them all
    bool done = false;
    bool failed = false;

    void run(LogEnvironment& environment);
    Result<void> sync(Disk& disk);
  };

  SyncAtOnce choose_sync(std::span<const FlushItem> items);
  std::uint64_t held_bytes();
  bool waits(const Waiting& waiting) const;
  std::uint64_t released();
  void make_file();
  void sync_oldest();
  void sync_waiting();
  std::shared_ptr<SyncJob> begin_sync(std::size_t count_max);
  void end_sync();

  LogEnvironment& environment_;
  IoExecutor& executor_;
  const std::weak_ptr<WholeSyncRider> rider_;
  const std::function<void()> on_done_;
  std::unordered_map<PartitionLog*, Slot> slots_;
  std::deque<Waiting> waiting_;  // by lsn; those of which the log knows better are left over
  UnsyncedFiles files_;          // states, and segments of logs that are no longer open
  /// Directories of logs that ended, with their last frame. The next log there may be another one.
  std::unordered_map<std::string, std::uint64_t> ended_;
  std::shared_ptr<SyncJob> syncing_;
  std::uint64_t lsn_at_tick_ = 0;
  std::deque<std::pair<std::uint64_t, std::uint64_t>> frames_;  // lsn and bytes
  std::uint64_t held_bytes_ = 0;                                // of frames_
  std::uint64_t rounds_until_at_once_ = 0;
  std::uint64_t rounds_to_pass_ = 0;  // the last time it was slow
  bool making_ = false;
  bool whole_wanted_ = false;
  bool stopped_ = false;
  bool failed_ = false;
};

}  // namespace chronik::wal
