// RaftReplicaManager: all Raft groups of one shard. It hands what comes from other nodes to the
// replicas, ticks those that have work, and does what their Readys ask for in passes: the states of
// all groups in one write, their logs by one group commit, the heartbeats of all groups to one node
// in one frame.
//
// No thread, socket, timer or clock of its own: frames come by receive(), time by tick(), the disk
// is an IoExecutor. Owned by one shard; every call there. Callbacks come from within these calls
// and may call propose() and read(); they may not add groups.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "raft/multi/replica.h"
#include "raft/multi/transport.h"

namespace chronik::raft {

struct RaftOptions {
  NodeId node = no_node;
  Uuid directory{};          // of this node's data
  milliseconds tick{100};    // heartbeats are a tick apart
  int election_ticks = 10;   // a follower campaigns after [n, 2n) ticks without a leader
  bool lease_reads = false;  // raft/core/raft.h, "Leases"
  /// Of groups whose machines read no entries (raft/core/options.h): nobody reads at a follower.
  bool commit_with_heartbeats = false;
  std::uint64_t waiting_bytes_max = 64u << 20;       // of proposals of this node, a group
  std::uint64_t uncommitted_bytes_max = 128u << 20;  // of a leader's term, a group
  std::uint64_t recent_bytes_max = 32u << 20;        // entries kept in memory, all groups together
  std::function<std::uint64_t()> random;             // 64 random bits
  CatchUpBudgets* catch_up = nullptr;                // outlives the manager; null: no limits
  /// A group in which nothing happened for so long rests (raft/core/rest.h); 0: none does. Where it
  /// is set, on_node_down() comes for every node that was not heard for an election timeout.
  int rest_after_ticks = 0;
  int patrol_ticks = 600;  // each group at rest is asked once in so many whether it still rests
  /// Time is wanted where it was not: next_tick() says when.
  std::function<void()> on_awake = [] {};
};

/// For metrics and tests.
struct RaftCounters {
  std::uint64_t frames_sent = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t frames_received = 0;
  std::uint64_t frames_refused = 0;  // that could not be read
  std::uint64_t states_written = 0;  // of groups, to be durable
};

class RaftReplicaManager final : private ReplicaHost {
 public:
  /// All of them outlive it.
  RaftReplicaManager(RaftOptions options, wal::LogEnvironment& environment,
                     wal::GroupCommit& group_commit, wal::IoExecutor& executor,
                     Transport& transport);
  /// What waits gets `closed`. Works of the executor that have not run may still run.
  ~RaftReplicaManager() override;
  RaftReplicaManager(const RaftReplicaManager&) = delete;
  RaftReplicaManager& operator=(const RaftReplicaManager&) = delete;

  /// Starts a group (see Replica). A group whose only voter is this node leads at once. The machine
  /// outlives the manager, or the call of remove().
  Replica& add(ReplicaPlace place, ReplicaFiles files, StateMachine& machine, Index applied);
  /// Ends the group; its log is the caller's. Null: there is no such group. Not from within a
  /// callback.
  std::unique_ptr<wal::PartitionLog> remove(const GroupId& group);
  Replica* find(const GroupId& group);

  /// A frame of `from`, whom the transport has authenticated.
  void receive(NodeId from, SharedBytes frame);
  /// One that was decoded, for its groups of this shard.
  void receive(NodeId from, Frame frame);
  /// `directory`: of its data; zero where members are known by their numbers alone.
  void on_node_up(NodeId node, const Uuid& directory = {});
  /// It stops, and is still connected: nothing is handed over to it. Until on_node_up() or _down().
  void on_node_leaving(NodeId node) {
    leaving_.insert(node);
    ++presence_;
  }
  /// The connection to `node` ended: what was sent and not answered may be lost.
  void on_node_down(NodeId node);

  /// Lets time pass. Wanted at next_tick() or later; a late call stands for all the ticks in
  /// between.
  void tick(SteadyTime now);
  /// Nothing: there is no group.
  std::optional<SteadyTime> next_tick() const;
  /// Those that do not rest, or did not a tick ago. Valid until the next call.
  const std::vector<Replica*>& awake() const { return ticked_; }

  /// Hands the leadership of every group over, for a clean stop; `done` once each has another
  /// leader, who is known here, or none can be had, or `timeout` is over. Proposals still work, at
  /// the new leaders.
  void hand_over(milliseconds timeout, std::function<void()> done);
  /// Does what groups have to do that were spoken to directly (Replica::campaign_now()).
  void run() { settle(); }
  /// What waits gets `closed`, and nothing more is taken. Before GroupCommit::stop().
  void close();

  /// The nodes that are connected, and stay.
  std::vector<MemberDirectory> present() const;
  /// Another number than before: other nodes are.
  std::uint64_t presence() const { return presence_; }
  const RaftCounters& counters() const { return counters_; }
  /// Of the last entries that are kept in memory.
  std::uint64_t recent_bytes() const { return recent_.bytes(); }
  NodeId node() const override { return options_.node; }

 private:
  std::uint64_t life() const override { return life_; }
  Uuid directory_of(NodeId node) const override;
  bool is_up(NodeId node) const override {
    return node == options_.node || directories_.contains(node);
  }
  bool is_leaving(NodeId node) const override { return leaving_.contains(node); }
  std::int64_t now_ticks() const override { return ticks_; }
  std::int64_t ticks_of(milliseconds time) const override;
  wal::LogEnvironment& environment() override { return environment_; }
  wal::GroupCommit& group_commit() override { return group_commit_; }
  wal::IoExecutor& executor() override { return executor_; }
  void send(NodeId to, ByteChain frame) override;
  void send_beat(GroupMessage beat) override;
  CatchUpQueue& catch_up() override { return catch_up_; }
  RecentBudget& recent() override { return recent_; }
  void touch(Replica& replica) override;
  void settle() override;

  void pass(const std::vector<Replica*>& replicas);
  void save_states(std::vector<Replica::Save> saves);
  void send_beats();
  void dispatch(NodeId from, Frame frame);
  void keep_early(GroupMessage message);
  bool is_handing_over(const GroupId& group);
  void check_hand_over();
  void tick_once();
  void patrol();

  const RaftOptions options_;
  wal::LogEnvironment& environment_;
  wal::GroupCommit& group_commit_;
  wal::IoExecutor& executor_;
  Transport& transport_;
  CatchUpQueue catch_up_;
  RecentBudget recent_;
  const std::uint64_t life_;
  std::shared_ptr<RaftReplicaManager*> self_;
  std::unordered_map<GroupId, std::unique_ptr<Replica>> replicas_;
  std::vector<Replica*> ticked_;   // those that do not rest
  std::vector<Replica*> touched_;  // may have a Ready
  struct Beats {
    std::vector<GroupMessage> heartbeats;
    std::vector<GroupMessage> answers;
  };
  std::map<NodeId, Beats> beats_;
  std::map<NodeId, Uuid> directories_;  // of the nodes that are connected
  std::set<NodeId> leaving_;            // of those
  // Votes for groups that are not there yet: all members of a new group open it at the same moment,
  // and who is first shall not have to ask twice.
  std::unordered_map<GroupId, std::vector<Message>> early_;
  std::size_t early_count_ = 0;
  std::int64_t early_since_ = 0;
  bool running_ = false;
  std::uint64_t presence_ = 0;
  std::size_t patrolled_ = 0;  // up to this bucket of replicas_
  std::int64_t ticks_ = 0;
  std::optional<SteadyTime> last_tick_;
  std::vector<GroupId> handing_over_;
  std::function<void()> handed_over_;
  std::int64_t hand_over_until_ = 0;
  RaftCounters counters_;
};

}  // namespace chronik::raft
