// PartitionChecker: what a replicated partition promises its producers and consumers, checked over
// all replicas of it after every event and with every answer. Under it, a LogChecker sees to what
// Raft promises of the group; what that one finds committed is the truth here. Owned by the
// Traffic.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "integration/sim/client_batch.h"
#include "integration/sim/log_checker.h"
#include "integration/sim/node.h"

namespace chronik::sim {

class PartitionChecker {
 public:
  PartitionChecker(Verdict& verdict, const PlacedPartition& placed,
                   const broker::PartitionSettings& settings);

  void on_start(Node& node);
  void on_end(NodeId id);
  void on_wipe(NodeId id);
  void on_send(const raft::GroupMessage& message);
  /// Something happened to the node. Returns its replica if that has become ready to lead.
  broker::Partition* after_event(Node& node);

  /// A producer made the batch. `idempotent`: it is never to be there twice, or out of order.
  void on_made(BatchName name, const SharedBytes& batch, bool idempotent);
  /// Its producer does not send it again, and does not know what became of it.
  void on_given_up(BatchName name) { made_.at(name).given_up = true; }
  /// A node says that the batch is there to stay, on as many disks as it has to be (acks=all).
  void check_acknowledged(NodeId id, BatchName name, Offset base_offset);
  /// A node answers a reader that asked for one batch at least, from offset `from`.
  void check_read(NodeId id, Offset from, const broker::ReadResult& answer, ByteView records);
  /// A client asks for the log to begin there, and a node says that it does.
  void on_delete(Offset offset) { delete_asked_ = std::max(delete_asked_, offset); }
  void check_deleted(NodeId id, Offset offset);
  /// Whether a deletion that was acknowledged is unknown there.
  bool lacks_deletion(const broker::Partition& partition) const {
    return partition.log_start_offset() < deleted_;
  }
  /// At rest: the replica has all that is committed, byte by byte.
  void check_whole(Node& node);

  const LogChecker& log() const { return log_; }
  /// The end of what is committed.
  Offset committed_end() const { return ends_.empty() ? 0 : ends_.back(); }
  /// Whether every replica may vote with what it has on its disk now.
  bool is_whole() const;
  const PlacedPartition& placed() const { return placed_; }
  /// Null: it has no place there. Precondition: the node is up.
  raft::Replica* replica(Node& node) const;
  std::string describe() const;
  std::string describe(Node& node) const;

 private:
  struct Made {
    std::uint32_t crc = 0;
    bool idempotent = false;
    bool given_up = false;
  };
  struct Committed {
    Offset end = 0;
    std::uint32_t crc = 0;
    BatchName name;
    LeaderEpoch epoch = no_leader_epoch;
  };

  void on_leave(NodeId id);
  bool may_be_gone(Offset base, const Committed& batch) const;
  /// All that was committed from the batch on that holds `from`, up to `end`.
  bool may_be_gone(Offset from, Offset end) const;
  void on_commit(const raft::Entry& entry);
  void check_order(BatchName name, Offset base);
  void check_begin(NodeId id, broker::Partition& partition);
  /// Whether it is a leader's first look.
  bool check_leadership(NodeId id, const broker::Partition& partition);
  struct Shown {
    Offset end = 0;
    std::string problem;  // empty: none
  };
  /// The batches of `records` must be committed, without gaps but for compaction's, and begin with
  /// the one that holds `from`.
  Shown look_at(Offset from, ByteView records) const;
  std::string where(NodeId id) const;
  /// What the LogChecker found is told on.
  void tell();

  Verdict& verdict_;
  const PlacedPartition& placed_;
  const bool compacts_;
  const int min_insync_replicas_;
  Verdict raft_verdict_;
  LogChecker log_;
  std::map<NodeId, const raft::Replica*> replicas_;  // that are up
  std::map<BatchName, Made> made_;
  std::map<Offset, Committed> committed_;            // by base offset
  std::map<BatchName, std::vector<Offset>> places_;  // where it is committed
  std::map<int, Offset> superseding_;                // the last one of each producer
  std::map<int, int> next_number_;                   // of each idempotent producer
  std::map<ProducerId, Sequence> last_sequences_;
  std::vector<Offset> ends_;                  // of what is committed, by index - 1
  std::map<LeaderEpoch, NodeId> leaders_;     // that were ready
  std::map<NodeId, Offset> high_watermarks_;  // of each process
  std::map<NodeId, Offset> held_;             // that was ever on the disk of the node
  std::map<NodeId, Offset> begins_;           // of each replica, as its disk has it
  std::map<NodeId, Offset> deleted_at_;       // up to where a node ever had, also before a wipe
  Offset delete_asked_ = 0;                   // the highest
  Offset deleted_ = 0;                        // as clients were told
};

}  // namespace chronik::sim
