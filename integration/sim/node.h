// Node: one simulated machine: a fake disk, a disk thread, clocks of its own rate, and, while it is
// up, the process on it: the real log, Raft, metadata and partition code, put
// together as broker/cluster_member.cc does. Owned by the Simulation, which it sees as World.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/memory_disk.h"
#include "base/random.h"
#include "integration/sim/hosted_partitions.h"
#include "integration/sim/plan.h"
#include "integration/sim/simulated_io.h"
#include "metadata/raft_meta_log.h"
#include "raft/multi/raft_replica_manager.h"

namespace chronik::sim {

/// What a node sees of everything around it.
class World {
 public:
  virtual ~World() = default;
  virtual SteadyTime now() const = 0;
  virtual void send(NodeId from, NodeId to, ByteChain frame) = 0;
  virtual void on_image(NodeId node, const std::shared_ptr<const metadata::Image>& image) = 0;
  virtual void on_leadership(NodeId node, const metadata::Leadership& leadership) = 0;
};

class Node final : private raft::Transport, private metadata::MetadataObserver {
 public:
  Node(World& world, const Plan& plan, const Placement& placement, NodeId id, std::uint64_t seed);
  ~Node() override;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  NodeId id() const { return id_; }
  /// The process lives.
  bool up() const { return store_ != nullptr; }
  /// It takes requests and frames: it lives, its disk has not ended it, and it is not about to end.
  bool serves() const { return up() && fatal_.empty() && !closed_; }
  /// Why the process ended itself; empty: it did not.
  const std::string& fatal() const { return fatal_; }

  /// A new process. `founders`: raft::Membership of the very first start. Errors: those of
  /// RaftMetaLog::open(); then it is down.
  Result<void> start(const raft::Membership& founders);
  /// The process is gone at once, and answers nobody.
  void end();
  /// A clean stop: hands over, answers what waits, makes everything durable. stopped() once that is
  /// done; then end() is left.
  void begin_stop();
  bool stopping() const { return stopping_; }
  bool stopped() const { return stopped_; }
  /// The process stands still until then.
  void pause_until(SteadyTime until) { paused_until_ = until; }
  bool paused() const { return world_.now() < paused_until_; }
  SteadyTime paused_until() const { return paused_until_; }

  void receive(NodeId from, SharedBytes frame);
  /// When it has something to do; nothing: it waits for others.
  std::optional<SteadyTime> next() const;
  /// One thing that is due; false: nothing was.
  bool step();

  /// From now on its clocks run at this many thousandths of the true rate.
  void set_rate(std::int64_t thousandths);
  void jump_wall(milliseconds by) { wall_offset_ += by; }

  metadata::RaftMetaLog& store() { return *store_; }
  const metadata::RaftMetaLog& store() const { return *store_; }
  raft::Replica& replica() { return store_->replica(); }
  raft::RaftReplicaManager& manager() { return *manager_; }
  /// Whether its disk says that its replica in `directory` counts for what was acknowledged: it
  /// neither joins nor has lost entries. Also of a process that is gone.
  bool is_relied_on(const std::string& directory, const raft::GroupId& group);
  HostedPartitions& partitions() { return *partitions_; }
  /// By its own clocks.
  SteadyTime local() const;
  Timestamp wall() const;

  static constexpr const char* root = "data";
  static constexpr const char* meta_directory = "data/__meta-0";
  MemoryDisk disk;
  Random random;          // of the process and the machine
  milliseconds stall{0};  // what the next work of the disk takes longer
  bool stalls = true;     // works take their time
  Disk* door = &disk;     // by which the process sees the disk
  Uuid directory{};       // of its data; another one once it was wiped
  bool lease_reads = false;
  std::uint64_t compacted = 0;  // logs of partitions
  /// Whether the process that ends may still answer: a clean stop does, a kill does not.
  bool answers() const { return !silent_; }

 private:
  void send(NodeId to, ByteChain frame) override;
  void on_image(const std::shared_ptr<const metadata::Image>& before,
                const std::shared_ptr<const metadata::Image>& after,
                const metadata::MetadataDelta& delta) override;
  void on_leadership(const metadata::Leadership& leadership) override;

  SteadyTime world_time(SteadyTime local_time) const;
  bool tick();
  void go_on_stopping();
  Result<void> open_journal();
  metadata::RaftMetaLogOptions log_options(const raft::Membership& founders);

  World& world_;
  const Plan& plan_;
  const Placement& placement_;
  const NodeId id_;
  SimulatedIo io_;
  std::int64_t rate_ = 1'000;
  SteadyTime rate_since_{};   // of the world
  SteadyTime local_since_{};  // of this node, at the same moment
  milliseconds wall_offset_{0};
  SteadyTime paused_until_{};
  std::deque<std::pair<NodeId, SharedBytes>> inbox_;  // came while it was paused

  // Of one process.
  std::unique_ptr<wal::LogEnvironment> environment_;
  std::unique_ptr<wal::Journal> journal_;
  std::unique_ptr<wal::SyncedStart> synced_start_;
  std::unique_ptr<wal::GroupCommit> group_commit_;
  std::unique_ptr<raft::RaftReplicaManager> manager_;
  std::unique_ptr<metadata::RaftMetaLog> store_;
  std::unique_ptr<HostedPartitions> partitions_;
  std::string fatal_;
  std::shared_ptr<const metadata::Image> last_image_;
  bool stopping_ = false;
  bool handed_over_ = false;
  bool closed_ = false;
  bool stopped_ = false;
  bool silent_ = false;
};

}  // namespace chronik::sim
