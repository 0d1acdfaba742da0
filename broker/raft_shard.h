// RaftShard: the Raft groups of one shard, with their time and their way to the other nodes. The
// connections live on the first shard: what another shard sends goes there as a message, and what
// comes for its groups comes from there, decoded.
//
// Made by ClusterMember, one per shard; used and destroyed on its shard, where not said otherwise.
#pragma once

#include <functional>
#include <memory>

#include "base/random.h"
#include "broker/net/peer_transport.h"
#include "broker/partition/shard_storage.h"
#include "broker/runtime/shard.h"
#include "broker/runtime/timer.h"
#include "raft/multi/raft_replica_manager.h"

namespace chronik::broker {

class RaftShard {
 public:
  /// `home`: the shard of `transport`. All of them outlive it. `options.random` and
  /// `options.on_awake` are set here.
  RaftShard(Shard& shard, ShardStorage& storage, Shard& home, PeerTransport& transport,
            raft::RaftOptions options, std::uint64_t seed);
  RaftShard(const RaftShard&) = delete;
  RaftShard& operator=(const RaftShard&) = delete;
  ~RaftShard();

  Shard& shard() { return shard_; }
  raft::RaftReplicaManager& groups() { return *groups_; }

  void receive(raft::NodeId from, raft::Frame frame);
  void on_node_up(raft::NodeId node, const Uuid& directory);
  void on_node_leaving(raft::NodeId node);
  void on_node_down(raft::NodeId node);
  /// Lets the time pass that has passed, and sees to it that the next tick comes.
  void tick();
  /// After a call that may have given a group work.
  void arm();
  /// Called after each tick.
  std::function<void()> on_tick;

  /// Other nodes lead the groups of this shard from here on, where they can within `timeout`; then
  /// `done`.
  void hand_over(milliseconds timeout, std::function<void()> done);
  /// Nothing is proposed any more, and no time passes.
  void close();

 private:
  class Relay;

  Shard& shard_;
  Random random_;
  std::unique_ptr<Relay> relay_;  // on other shards than the transport's
  std::unique_ptr<raft::RaftReplicaManager> groups_;
  Timer tick_;
  bool closed_ = false;
};

/// The shard of the group's partition; the metadata group lives on the first one.
std::uint32_t shard_of_group(const raft::GroupId& group, std::uint32_t shard_count);

/// The parts of a frame that shards other than the calling one own go to them; what is left is the
/// caller's. `deliver(shard, frame)` is called once for each shard that gets something.
void split_frame(raft::Frame frame, std::uint32_t shard_count,
                 const std::function<void(std::uint32_t shard, raft::Frame part)>& deliver);

}  // namespace chronik::broker
