// TestCluster: several nodes of Raft groups in one thread, without a state machine of its own: a
// fake network with delay, loss, repetition, disorder and partitions by a seed, a fake disk a node
// that loses power, a stepped I/O thread and a clock that stands still until it is told. What runs
// on a node is the caller's (NodeSetup). Tests and the simulator only.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/memory_disk.h"
#include "base/random.h"
#include "raft/multi/raft_replica_manager.h"

namespace chronik::raft::testing {

struct NetworkFaults {
  milliseconds delay_min{1};
  milliseconds delay_max{3};
  std::uint64_t lose_one_in = 0;    // 0: never
  std::uint64_t repeat_one_in = 0;  // delivered twice, which no connection does
  bool reorder = false;             // which no connection does
};

/// Frames on their way. Copies what is sent: nodes share no memory.
class FakeNetwork {
 public:
  explicit FakeNetwork(std::uint64_t seed) : random_(seed) {}

  struct Frame {
    NodeId from = no_node;
    NodeId to = no_node;
    SharedBytes bytes;
  };

  void send(NodeId from, NodeId to, const ByteChain& chain, SteadyTime now);
  /// The next one that is due; nothing: none.
  std::optional<Frame> next(SteadyTime now);
  /// When the next one is due; nothing: none is on its way.
  std::optional<SteadyTime> next_due() const;
  /// What is on its way from or to the node is lost.
  void drop(NodeId node);
  /// What is on its way between the two, in either direction.
  void drop_between(NodeId one, NodeId other);
  /// One direction.
  void block(NodeId from, NodeId to) { blocked_.insert({from, to}); }
  void isolate(NodeId node) { isolated_.insert(node); }
  void heal() {
    blocked_.clear();
    isolated_.clear();
  }
  bool blocks(NodeId from, NodeId to) const {
    return blocked_.contains({from, to}) || isolated_.contains(from) || isolated_.contains(to);
  }

  NetworkFaults faults;
  /// Sees each frame before it is sent; true: it is lost.
  std::function<bool(const Frame&)> filter;
  std::uint64_t sent = 0;
  std::uint64_t lost = 0;

 private:
  void enqueue(Frame frame, SteadyTime at);

  Random random_;
  std::multimap<SteadyTime, Frame> queue_;
  std::map<std::pair<NodeId, NodeId>, SteadyTime> last_;
  std::set<std::pair<NodeId, NodeId>> blocked_;
  std::set<NodeId> isolated_;
};

/// What a transport owes groups that rest (raft/core/rest.h): who is not heard for silence_max is
/// lost, at both ends, until both hear one another again.
class SilenceWatch {
 public:
  explicit SilenceWatch(milliseconds silence_max) : silence_max_(silence_max) {}
  enum class News : std::uint8_t { none, lost, found };
  /// What is to be told to both now. `heard`: frames come through, both ways.
  News look(NodeId one, NodeId other, bool heard, bool one_counts_it, bool other_counts_it,
            SteadyTime now);

 private:
  const milliseconds silence_max_;
  std::map<std::pair<NodeId, NodeId>, SteadyTime> heard_;
};
/// Whether the node takes the other for connected.
bool counts(const RaftReplicaManager& manager, NodeId other);

class TestCluster;

class TestNode final : private Transport {
 public:
  TestNode(TestCluster& cluster, NodeId id, std::uint64_t seed);
  ~TestNode() override;

  NodeId id() const { return id_; }
  /// Of its disk; another one after wipe(). Counts where memberships name directories.
  const Uuid& directory_id() const { return directory_id_; }
  bool up() const { return manager != nullptr; }
  const std::string directory = "data";

  MemoryDisk disk;
  Random random;
  wal::ManualIoExecutor executor;
  // Of one life of the process.
  std::unique_ptr<wal::LogEnvironment> environment;
  std::unique_ptr<wal::GroupCommit> group_commit;
  std::unique_ptr<RaftReplicaManager> manager;
  std::string fatal;  // the disk failed: what was said

 private:
  friend class TestCluster;
  void send(NodeId to, ByteChain frame) override;
  void begin();
  void end();

  TestCluster& cluster_;
  const NodeId id_;
  Uuid directory_id_;
};

/// What lives on a node.
class NodeSetup {
 public:
  virtual ~NodeSetup() = default;
  /// Opens what the node has on its disk and adds its groups to node.manager.
  virtual Result<void> start(TestNode& node) = 0;
  /// The process has ended: gives up what start() made. node.manager is gone already.
  virtual void stop(TestNode& node) = 0;
  /// Before the manager goes: nothing may call into it afterwards.
  virtual void stopping(TestNode& /*node*/) {}
};

class TestCluster {
 public:
  /// Nodes 1 to `count`, none of them started.
  TestCluster(std::uint64_t seed, int count, NodeSetup& setup);
  ~TestCluster();

  TestNode& node(NodeId id) { return *nodes_.at(id); }
  TestNode& add_node(NodeId id);
  std::vector<NodeId> ids() const;

  Result<void> start(NodeId id);
  void start_all();
  /// The process dies (kill), or the machine loses its power; the others are told when
  /// `connections_close`.
  void crash(NodeId id, CrashModel model = CrashModel::kill, bool connections_close = true);
  /// All that was on the node's disk is gone. It must be down.
  void wipe(NodeId id);

  /// Time passes in steps of a millisecond.
  void run(milliseconds time);
  /// Until `done`, at most for `time`; whether it was.
  bool run_until(const std::function<bool()>& done, milliseconds time = milliseconds(20'000));
  SteadyTime now() const { return now_; }

  /// Connections end when nothing comes through them for so long; else only with a node.
  void watch_silence(milliseconds silence_max) { silence_.emplace(silence_max); }

  RaftOptions options;  // of nodes that start; node and random are set for each
  FakeNetwork network;

 private:
  friend class TestNode;
  void step();
  void look_for_silence();

  NodeSetup& setup_;
  Random random_;
  std::map<NodeId, std::unique_ptr<TestNode>> nodes_;
  SteadyTime now_{};
  std::optional<SilenceWatch> silence_;
};

}  // namespace chronik::raft::testing
