// StateMachine: what a group replicates, as its Replica sees it: the next committed entries, and
// snapshots as runs of bytes. Implemented by metadata/raft_meta_log.h, and by partitions, whose
// state is the log itself; outlives the replica. On the manager's shard, where not said otherwise.
#pragma once

#include <memory>
#include <span>

#include "base/bytes.h"
#include "base/result.h"
#include "raft/core/types.h"
#include "wal/checkpoint.h"

namespace chronik::raft {

struct Leadership {
  NodeId leader = no_node;
  Term term = 0;
  /// This node leads, an entry of its term is committed, and everything before it is applied.
  bool ready = false;
  bool operator==(const Leadership&) const = default;
};

/// A snapshot that is sent to another node. On the I/O thread.
class SnapshotReader {
 public:
  virtual ~SnapshotReader() = default;
  virtual Result<std::uint64_t> size() = 0;
  /// Fewer bytes only at the end. Errors: io.
  virtual Result<std::size_t> read(std::uint64_t position, MutableByteView out) = 0;
};

/// A snapshot that comes from another node. On the I/O thread, one call at a time. Its destructor
/// gives up what was not published.
class SnapshotReceiver {
 public:
  virtual ~SnapshotReceiver() = default;
  /// Each byte once, in order; position 0 begins anew. Errors: io; no_space, which may pass.
  virtual Result<void> write(std::uint64_t position, ByteView bytes) = 0;
  /// All bytes are there. Checks them, and makes them durable, but not yet in force. Errors:
  /// corrupt, unsupported (not to be asked for again from the same node); io, no_space.
  virtual Result<void> finish() = 0;
  /// What the log begins with; it ends with the snapshot's last entry. Valid after finish().
  virtual wal::Checkpoint log_begin() const = 0;
  /// The log begins behind this snapshot now, durably: a start must find it from here on. Errors:
  /// io.
  virtual Result<void> publish() = 0;
};

class StateMachine {
 public:
  virtual ~StateMachine() = default;

  /// Whether it wants the entries. Where not, the log is its state: on_committed() comes in place
  /// of apply(), and nothing is read from the disk for it. Constant.
  virtual bool reads_entries() const { return true; }
  /// The next committed entries, durable here; those of Raft's own among them. Must not touch disk.
  virtual void apply(std::span<const Entry> /*entries*/) {}
  /// All entries up to `last` are committed and durable here; records below `end` may be shown.
  virtual void on_committed(Position /*last*/, Offset /*end*/) {}
  /// At the leader: another member may hold more of the log than before.
  virtual void on_held() {}
  /// The durable ends of the log have moved.
  virtual void on_log_durable() {}
  /// It has changed. Called after what apply() has to do with it.
  virtual void on_leadership(const Leadership& leadership) = 0;

  /// The snapshot that ends with entry `index`; null when it is gone. Opens nothing yet.
  virtual std::shared_ptr<SnapshotReader> open_snapshot(Index index) = 0;
  /// Somebody is about to send this one.
  virtual std::shared_ptr<SnapshotReceiver> receive_snapshot(const SnapshotMeta& meta) = 0;
  /// `received` is published: it is the state now, whatever was applied before.
  virtual void restore(const SnapshotMeta& meta, SnapshotReceiver& received) = 0;
};

}  // namespace chronik::raft
