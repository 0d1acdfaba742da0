// Progress: what a leader knows of one other member, and the window of Appends on their way to it.
// Owned by the leader's Raft, renewed with every term.
//
//              refused, or lost on the way
//      probe <----------------------------- replicate
//        |  ------------------------------>    |
//        |            accepted                 |     the log begins behind `next`
//        +-------------> snapshot <------------+
//                           | the follower has it: probe again
//
// Invariants: match < next; match only grows within a term.
#pragma once

#include <cstdint>
#include <vector>

#include "raft/core/types.h"

namespace chronik::raft {

/// Appends that were sent and not answered: a ring that grows up to its limit.
class Window {
 public:
  void add(Index last, std::uint64_t bytes);
  /// Everything up to `index` has arrived.
  void release(Index index);
  void clear();
  std::size_t count() const { return count_; }
  std::uint64_t bytes() const { return bytes_; }

 private:
  struct Sent {
    Index last = 0;
    std::uint64_t bytes = 0;
  };
  std::vector<Sent> ring_;
  std::size_t head_ = 0;
  std::size_t count_ = 0;
  std::uint64_t bytes_ = 0;
};

enum class ProgressState : std::uint8_t {
  probe,      // where the logs part is not known: one Append at a time
  replicate,  // Appends are sent ahead of their answers, as the window permits
  snapshot,   // waits until the follower has fetched a snapshot
};

struct Progress {
  NodeId id = no_node;
  Uuid directory;  // with another one it is another member, of which nothing is known
  ProgressState state = ProgressState::probe;
  Index match = 0;  // the member holds the leader's log durably up to here
  Index next = 1;   // to be sent next
  Window window;
  bool probe_sent = false;    // in probe: an answer (or a heartbeat's) is due first
  bool reading = false;       // entries for it are being read from disk
  Index sent_commit = 0;      // the largest commit index it was told of
  Round round = 0;            // the largest round of heartbeats it answered
  Round rested = 0;           // and the largest to which it said that it rests; 0: it does not
  std::int64_t heard = 0;     // the leader's tick when it was last heard
  std::int64_t offered = 0;   // the leader's tick of the last SnapshotOffer,
  std::int64_t appended = 0;  // of the last Append with entries
  std::int64_t beaten = 0;    // and of the last heartbeat
  Index received = 0;         // of its last HeartbeatAnswer
  int stalled = 0;            // answers in a row that show the same hole
  bool withheld = true;  // it would not vote; until its last HeartbeatAnswer says that it would

  void become_probe(Index from);
  void become_replicate();
  void become_snapshot(std::int64_t tick);
  /// The member says it holds the log up to `index`. True when that is news.
  bool on_accepted(Index index);
  /// The member refused an Append behind `rejected`, `try_next` might do. False: an old answer.
  bool on_rejected(Index rejected, Index try_next);
  /// A heartbeat's answer: true when an Append must have been lost, so that probing starts again.
  bool on_heartbeat_answer(Index received_to);
};

const char* to_string(ProgressState state);

}  // namespace chronik::raft
