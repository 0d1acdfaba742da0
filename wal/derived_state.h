// DerivedState: what an owner computes from the entries of a partition log and wants back after a
// restart without reading the whole log (the broker's producer state: sequences, epochs, the last
// five batches of each producer). The log applies each entry once, in order, saves the state with
// its checkpoints and restores it before it applies the tail.
//
// Must be a pure function of the entries applied since reset(): the same entries give the same
// state, whatever the clock. All calls are on the log's shard.
#pragma once

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
  virtual Bytes save() const = 0;
  /// Takes a saved state over. An error makes the log reset() and apply() its whole content
  /// instead.
  virtual Result<void> restore(ByteView saved) = 0;
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
