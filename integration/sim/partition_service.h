// PartitionService: what the nodes of a simulated cluster do with the requests of producers and
// consumers, as broker/api/produce.cc and fetch_reader.cc do, and what the planted bugs that sit
// there make of the answers. Each answer is checked as it leaves. Owned by the Traffic.
#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>

#include "base/random.h"
#include "broker/partition/partition.h"
#include "integration/sim/counts.h"
#include "integration/sim/partition_checker.h"
#include "integration/sim/planted_bugs.h"
#include "integration/sim/stage.h"

namespace chronik::sim {

struct ProduceRequest {
  int partition = 0;
  BatchName name;
  SharedBytes batch;
  std::int16_t acks = -1;
  milliseconds timeout{0};
};

struct ProduceAnswer {
  protocol::ErrorCode error = protocol::ErrorCode::none;
  std::string message;
};

struct FetchAnswer {
  protocol::ErrorCode error = protocol::ErrorCode::none;
  Offset high_watermark = -1;
  Offset log_start = -1;
  Offset next = -1;                  // where to read on
  NodeId preferred = raft::no_node;  // who shall be asked from now on
};

struct KnownLeader {
  NodeId node = raft::no_node;
  LeaderEpoch epoch = no_leader_epoch;
};

class PartitionService {
 public:
  using Checkers = std::vector<std::unique_ptr<PartitionChecker>>;
  using Done = std::function<void(const ProduceAnswer&)>;

  PartitionService(Checkers& checkers, Counts& counts, PlantedBug bug, std::uint64_t seed)
      : checkers_(checkers), counts_(counts), bug_(bug), random_(seed) {}

  void produce(Node& node, const ProduceRequest& request, Done done);
  /// DeleteRecords.
  void delete_before(Node& node, int partition, Offset offset, milliseconds timeout, Done done);
  FetchAnswer fetch(Node& node, int partition, Offset from, LeaderEpoch epoch);
  /// Whether a leader that has given this answer to a reader in `epoch` sends it on to `replica`
  /// (broker/api/preferred_replica.h).
  bool is_fit_to_be_read(Node& replica, int partition, const FetchAnswer& told, LeaderEpoch epoch);
  /// Who leads, as far as the node knows.
  KnownLeader leader(Node& node, int partition);

  void on_start(Node& node);
  /// A node is ready to lead the partition.
  void on_ready(broker::Partition& partition);
  /// Something happened to the node: waiting requests may be answered now.
  void after_event(Node& node);
  /// Its process is gone; nobody is answered.
  void on_end(NodeId id) {
    waiting_.erase(id);
    deleting_.erase(id);
  }

 private:
  struct Waiting {
    ProduceRequest request;
    Offset base_offset = -1;
    broker::Future<broker::WaitEnd> end;
    Done done;
  };
  struct Deleting {
    int partition = 0;
    Offset offset = 0;
    broker::Future<broker::WaitEnd> end;
    Done done;
  };
  void count(protocol::ErrorCode error);
  void acknowledge(NodeId id, const Deleting& deleting, broker::WaitEnd end);
  void acknowledge(NodeId id, const Waiting& waiting, broker::WaitEnd end);
  bool loses(broker::Partition& partition, const ProduceRequest& request);
  void revive(broker::Partition& partition, const ProduceRequest& request);

  Checkers& checkers_;
  Counts& counts_;
  const PlantedBug bug_;
  Random random_;
  std::map<NodeId, std::list<Waiting>> waiting_;
  std::map<NodeId, std::list<Deleting>> deleting_;
  Offset old_high_watermark_ = 0;
};

}  // namespace chronik::sim
