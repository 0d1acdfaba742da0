// ClusterMember: what a node of a cluster has beside a node alone: the connections to the others,
// the Raft groups of each shard, and the metadata store over one of them. Nothing of it exists
// without cluster.nodes.
//
// Owned by Server. open(), hand_over() and close() are called on the main thread, the rest lives on
// the first shard, but for what is said of RaftShard.
#pragma once

#include <functional>
#include <future>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/random.h"
#include "base/result.h"
#include "broker/api/other_nodes.h"
#include "broker/cluster_quorum.h"
#include "broker/net/cluster_port.h"
#include "broker/net/leader_news.h"
#include "broker/net/peer_transport.h"
#include "broker/node_requests.h"
#include "broker/partition/shard_storage.h"
#include "broker/raft_shard.h"
#include "broker/replication_rates.h"
#include "broker/runtime/shard.h"
#include "broker/settings/cluster.h"
#include "metadata/raft_meta_log.h"
#include "wal/log_directory.h"

namespace chronik::broker {

class ClusterMember final : public OtherNodes {
 public:
  struct Place {
    Shard& shard;  // the first one
    Shards& shards;
    std::vector<ShardStorage*> storages;  // by shard
    wal::LogDirectory& directory;         // stamped
    const Clock& clock;
    const ClusterSettings& settings;
    std::optional<Uuid> cluster_id;   // chronik.cluster.id
    bool reads_at_followers = false;  // consumers (replica.selector.class)
  };
  /// Asked now and then while open() waits for others; true ends it with `closed`.
  using GiveUp = std::function<bool()>;

  /// Binds the cluster port, founds or finds the cluster (which makes its id durable in the stamp),
  /// opens the metadata log, and waits until the image has everything that was acknowledged
  /// anywhere: so it needs a majority. A node with an empty directory whose cluster is there
  /// already is a newcomer: the leader takes it in, without a vote (raft/multi/newcomers.h).
  /// Errors: a port in use; a damaged directory, or one of another cluster than the other nodes;
  /// closed.
  static Result<std::unique_ptr<ClusterMember>> open(Place place, Random& random,
                                                     const GiveUp& give_up);
  /// Closes and destroys where that was not done.
  ~ClusterMember() override;
  ClusterMember(const ClusterMember&) = delete;
  ClusterMember& operator=(const ClusterMember&) = delete;

  metadata::RaftMetaLog& store() { return *store_; }
  Quorum& quorum() { return *quorum_; }
  /// The groups of a shard. Any thread; the object on its shard.
  RaftShard& rafts(std::uint32_t shard) { return *rafts_[shard]; }
  /// From here on requests that other nodes pass on are answered. `broker` outlives close().
  void serve(Broker& broker);

  /// Called on the shard with the nodes that are not connected, now and whenever that changes;
  /// nullptr: nobody.
  using Watch = std::function<void(std::vector<BrokerId> absent)>;
  void watch_absent(Watch watch);

  /// NodeRequests::ask, on the shard.
  void ask(BrokerId node, NodeRequest request, milliseconds timeout, NodeRequests::Done done);
  Task<Result<SharedBytes>> ask_node(BrokerId node, std::int16_t api_key, std::int16_t version,
                                     SharedBytes body, milliseconds timeout) override;

  /// What other nodes say they lead. Called on the shard.
  using OnNews = std::function<void(BrokerId leader, const std::vector<LeaderNews>& news)>;
  /// `all`: called on the shard when a node has come that must be told everything.
  void watch_leaders(OnNews on_news, std::function<void()> all);
  /// Tells all nodes that are connected, soon, together with what else there is to tell. Any shard.
  void announce(LeaderNews news);

  /// Tells the other nodes that this one goes; they lead from here on, if that can be within
  /// `timeout`.
  void hand_over(milliseconds timeout);
  /// No proposal is taken any more, and nothing comes or leaves. Before the storage stops.
  void close();
  /// The store and its groups go. After the storage has stopped, and after all observers; before
  /// the shards stop.
  void destroy();

 private:
  ClusterMember(Place place, std::uint64_t seed);

  Result<void> bind(Random& random);
  Result<void> wait_for(std::future<void> ready, const GiveUp& give_up,
                        const std::function<std::string()>& what);
  Result<void> check_others() const;
  Result<void> meet_others(const GiveUp& give_up);
  Result<void> join(const GiveUp& give_up);
  Result<void> make_durable(const ClusterJoin::Outcome& outcome);
  Result<void> check_votes() const;
  Result<void> note_votes();
  Result<void> open_store();
  Result<void> catch_up(const GiveUp& give_up);
  raft::RaftOptions raft_options() const;
  std::vector<std::unique_ptr<RaftShard>> make_rafts();
  void receive(raft::NodeId from, SharedBytes frame);
  raft::Membership founding_members();

  Uuid directory_of(raft::NodeId node) const;
  std::string waits_for() const;

  void on_node_up(raft::NodeId node);
  void on_node_leaving(raft::NodeId node);
  void on_node_down(raft::NodeId node);
  std::vector<BrokerId> absent() const;
  void tell_absent();
  void tell_news();
  void on_tick();

  const Place place_;
  Random random_;  // of the groups
  std::unique_ptr<PeerTransport> transport_;
  std::unique_ptr<ClusterJoin> join_;
  std::unique_ptr<ReplicationRates> rates_;
  std::vector<std::unique_ptr<RaftShard>> rafts_;  // by shard; empty until open_store()
  std::unique_ptr<metadata::RaftMetaLog> store_;
  std::unique_ptr<NodeRequests> requests_;
  std::unique_ptr<ClusterQuorum> quorum_;
  std::set<raft::NodeId> leaving_;               // they stop, and are still connected
  std::map<raft::NodeId, std::string> foreign_;  // of another cluster, and how that was told
  std::function<void()> on_other_;               // one of them was met, or is foreign
  Watch watch_;
  OnNews on_news_;
  std::function<void()> tell_all_;
  // What came before anybody watched: it is told once only. Nothing afterwards.
  using EarlyNews = std::vector<std::pair<BrokerId, std::vector<LeaderNews>>>;
  std::optional<EarlyNews> early_news_ = EarlyNews();
  std::vector<LeaderNews> news_;  // not told yet
  bool closed_ = false;           // written on the shard
  bool destroyed_ = false;
};

}  // namespace chronik::broker
