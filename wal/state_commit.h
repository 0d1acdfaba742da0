// StateCommit: what a GroupCommit does with the states that Raft keeps beside the logs
// (raft/multi/state_file.h): many small files, each of which has to be durable before a vote is
// told. When thousands of groups elect at once, one frame of the journal has the states of many.
//
// A round of states is over before the next round of logs is begun, so that no log is ever on disk
// before the state that was handed over before it was marked dirty. Owned by the GroupCommit, on
// its shard.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "wal/io_executor.h"
#include "wal/journal.h"
#include "wal/log_environment.h"
#include "wal/state_write.h"

namespace chronik::wal {

class JournalCommit;

class StateCommit : public std::enable_shared_from_this<StateCommit> {
 public:
  using Done = std::function<void()>;

  /// `on_done`: a round has ended, and what follows it may begin.
  StateCommit(LogEnvironment& environment, IoExecutor& executor, JournalCommit& journal,
              Done on_done)
      : environment_(environment),
        executor_(executor),
        journal_(journal),
        on_done_(std::move(on_done)) {}

  /// `done` on the shard once all of them are durable; never when the disk failed.
  void add(std::vector<StateWrite> writes, Done done);
  /// The log of this directory ends: what waits for it is not written any more. Or it could come
  /// into the directory of another one of the same name.
  void forget(const std::string& directory);
  bool waiting() const { return !queue_.empty(); }
  /// Writes what waits. `with_journal`: no other frame is being written.
  void begin_round(bool with_journal);
  bool in_flight() const { return round_ != nullptr; }
  bool failed() const { return failed_; }

 private:
  struct Asked {
    std::vector<StateWrite> writes;
    Done done;
  };
  struct Round {
    std::vector<StateWrite> writes;
    std::vector<Done> done;
    std::optional<FramePlace> frame;
    std::uint64_t frame_bytes = 0;
    bool failed = false;

    Result<void> write(Disk& disk);
    Result<void> write_frame();
  };

  void end_round();

  LogEnvironment& environment_;
  IoExecutor& executor_;
  JournalCommit& journal_;
  const Done on_done_;
  std::deque<Asked> queue_;
  std::shared_ptr<Round> round_;
  bool failed_ = false;
};

}  // namespace chronik::wal
