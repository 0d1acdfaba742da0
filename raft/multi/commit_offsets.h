// CommitOffsets: where in Kafka offsets the committed part of a log ends, for groups whose state is
// the log itself: Raft speaks of indices, readers of offsets. Keeps one pair for each entry that is
// not committed. Owned by one Replica; pure.
#pragma once

#include "base/fifo.h"
#include "raft/core/types.h"

namespace chronik::raft {

class CommitOffsets {
 public:
  /// A log that was opened: it begins at `begin`, and its last entry, `last`, ends at `end`. Of the
  /// entries between, nothing is known but that: committed() stays at `begin` until all are.
  CommitOffsets(Offset begin, Index last, Offset end);

  /// An entry was appended; those that stood at its index or behind it are gone.
  void append(Index index, Offset begin, Offset end);
  /// The log goes on behind a snapshot, all of which is committed.
  void restart(Index last, Offset end);
  /// Entries up to `commit` are committed. Returns committed().
  Offset advance(Index commit);
  /// Never goes back.
  Offset committed() const { return committed_; }
  /// Whether committed() has got past what was there when the log was opened: it is not behind what
  /// an earlier life has told any more.
  bool is_known() const { return known_; }

 private:
  struct End {
    Index index = 0;
    Offset offset = 0;
  };
  Fifo<End> ends_;  // ascending
  Offset committed_ = 0;
  Index opened_ = 0;  // the last entry that was there
  bool known_ = false;
};

}  // namespace chronik::raft
