// Reads that shall see everything acknowledged before they were asked (thesis 6.4), in two queues:
// ReadQueue, at the leader, of reads that wait until the leader has proven that it still leads; and
// OwnReads, at the node that asked, of reads that wait for the leader, then for the state machine.
// Owned by one Raft.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/fifo.h"
#include "raft/core/ready.h"
#include "raft/core/types.h"

namespace chronik::raft {

/// At the leader. A read asks for a round of heartbeats that begins after it came; when a quorum
/// has answered that round (or a later one), nobody else was elected before the read came.
class ReadQueue {
 public:
  struct Read {
    NodeId from = no_node;
    ReadId id = 0;
    Index index = 0;
    Round round = 0;  // 0: the leader has not committed in its term yet, so knows no index
  };

  void clear() { reads_.clear(); }
  bool empty() const { return reads_.empty(); }
  void add(NodeId from, ReadId id, Index index, Round round) {
    reads_.push_back({from, id, index, round});
  }
  /// The leader has committed an entry of its term: reads that waited for that get `index`,
  /// `round`.
  void begin(Index index, Round round);
  /// The last round that a read waits for.
  Round wanted() const { return reads_.empty() ? 0 : reads_.back().round; }
  /// Takes those out that `confirmed` proves, in order.
  std::vector<Read> take_confirmed(Round confirmed);

 private:
  Fifo<Read> reads_;  // rounds never fall
};

/// At the node that asked.
class OwnReads {
 public:
  bool empty() const { return asked_.empty() && known_.empty(); }
  void asked(ReadId id, std::int64_t tick) {
    if (asked_.empty()) waits_since_ = tick;
    asked_.push_back(id);
  }
  /// The leader's answer, which is one to all reads that were asked before as well; of a read that
  /// is not waiting (any more) it is dropped.
  void known(ReadId id, Index index, std::int64_t tick);
  /// The question or the answer may be lost: the read to ask for again, when none of those that
  /// wait was answered for again_ticks.
  std::optional<ReadId> to_ask_again(std::int64_t tick);
  /// Those whose index the state machine has reached.
  std::vector<ReadReady> take_ready(Index applied);
  bool has_ready(Index applied) const;
  /// Those the leader will not answer any more. What is known already stays valid.
  std::vector<ReadId> take_asked();

 private:
  static constexpr std::int64_t again_ticks = 2;

  std::vector<ReadId> asked_;
  std::int64_t waits_since_ = 0;
  std::vector<ReadReady> known_;
};

}  // namespace chronik::raft
