// ClusterQuorum: the members of the metadata group, as the leader cares for them: takes nodes in
// that come (raft/multi/newcomers.h), gives and takes votes when an administrator asks, and tells
// how far each one is. Owned by ClusterMember; on its shard.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "broker/api/quorum.h"
#include "broker/net/peer_transport.h"
#include "broker/node_requests.h"
#include "broker/settings/cluster.h"
#include "metadata/raft_meta_log.h"
#include "raft/multi/newcomers.h"

namespace chronik::broker {

class ClusterQuorum final : public Quorum {
 public:
  /// All of them outlive it.
  struct Place {
    Shard& shard;
    const Clock& clock;
    const ClusterSettings& settings;
    PeerTransport& transport;
    metadata::RaftMetaLog& store;
    NodeRequests& requests;
  };
  explicit ClusterQuorum(Place place) : place_(place) {}

  // Quorum
  Result<QuorumState> describe() override;
  Task<Result<void>> add_voter(BrokerId node, Uuid directory, milliseconds timeout,
                               GivenUp given_up) override;
  Task<Result<void>> remove_voter(BrokerId node, Uuid directory, milliseconds timeout) override;
  Task<Result<SharedBytes>> ask_leader(std::int16_t api_key, std::int16_t version, SharedBytes body,
                                       milliseconds timeout, GivenUp given_up) override;

  void on_tick();
  /// No change begins any more; what add_voter() waits for ends.
  void close() { closed_ = true; }

  /// Voters that came with another data directory than the one they promised from, for a person;
  /// empty: none.
  std::string lost_voters() const;
  /// Whether this node belongs to the group, with the directory it has.
  bool is_member() const;

 private:
  const raft::Raft& raft() const { return place_.store.replica().raft(); }
  bool leads() const { return place_.store.leadership().ready; }
  /// The nodes that are connected, and know whose cluster they are in.
  std::vector<raft::MemberDirectory> present() const;
  const ClusterNode* find_node(BrokerId node) const;
  QuorumMember member_of(BrokerId node, Timestamp now) const;
  std::optional<raft::MemberChange> leaver() const;
  void take_in_newcomers();
  Result<void> may_add(BrokerId node, const Uuid& directory) const;
  bool has_log(BrokerId node, raft::Index commit) const;
  Task<Result<void>> change(raft::MemberChange change);

  const Place place_;
  raft::Newcomers newcomers_;
  bool taking_in_ = false;         // a change that newcomers_ asked for is under way
  raft::Index commit_before_ = 0;  // as of the last tick
  std::map<BrokerId, Timestamp> caught_up_;
  bool closed_ = false;
};

}  // namespace chronik::broker
