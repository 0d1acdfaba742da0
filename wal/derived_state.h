// DerivedState: what an owner computes from the entries of a partition log and wants back after a
// restart without reading the whole log (the broker's producer state: sequences, epochs, the last
// five batches of each producer). The log applies each entry once, in order, saves the state with
// its checkpoints and restores it before it applies the tail.
//
// Must be a pure function of the entries applied since reset(): the same entries give the same
// state, whatever the clock. All calls are on the log's shard.
#pragma once

#include <limits>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "protocol/record_batch.h"

namespace chronik::wal {

class DerivedState {
 public:
  virtual ~DerivedState() = default;

  /// One entry, in log order; also called for entries appended now, before append() returns.
  /// Entries that take no Kafka offset (last_offset_delta == -1) are not shown.
  virtual void apply(const protocol::BatchHeader& header) = 0;
  /// The state after the last apply(), in a format of the owner's, with a version in it.
  Bytes save() const { return save_below(std::numeric_limits<Offset>::max()); }
  /// What is known from the entries that end at or below `end`: what a log that begins there starts
  /// from, since no replay shows them again.
  virtual Bytes save_below(Offset end) const = 0;
  /// Takes a saved state over. An error makes the log reset() and apply() its whole content
  /// instead.
  virtual Result<void> restore(ByteView saved) = 0;
  /// Takes back what the entries that end beyond `end` taught, because they were cut off. False: it
  /// does not know what was before them, and nothing was done; the log goes back to save_below() of
  /// its begin and applies its whole content again.
  virtual bool forget_beyond(Offset /*end*/) { return false; }
  /// The state of an empty log.
  virtual void reset() = 0;
  /// The last offsets of batches that compaction must leave at least the headers of, so that a
  /// replay of the compacted log gives what matters of this state; in any order.
  virtual std::vector<Offset> batches_to_keep() const { return {}; }
  /// The log now starts at `offset`; entries below it will not be there at the next replay. May
  /// forget what only they taught (Kafka keeps producer state; so may the owner).
  virtual void on_log_start(Offset /*offset*/) {}
};

}  // namespace chronik::wal
