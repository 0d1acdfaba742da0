// LeaderHint: tells a client that asked the wrong broker which one is right, beside
// NOT_LEADER_OR_FOLLOWER, so that it need not ask for metadata first (KIP-951). Versions that have
// no room for it leave it out when they are encoded.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "broker/api/context.h"
#include "broker/api/reachable_brokers.h"
#include "broker/broker.h"
#include "broker/runtime/metadata_view.h"
#include "metadata/image.h"

namespace chronik::broker {

/// One for a response, for as long as that is built. Endpoint: the response's NodeEndpoint.
template <class Endpoint>
class LeaderHint {
 public:
  LeaderHint(RequestContext& context, std::vector<Endpoint>& endpoints)
      : context_(context), endpoints_(endpoints) {}

  /// Fills in the leader of a partition that exists.
  template <class PartitionAnswer>
  void name(const metadata::Topic& topic, PartitionId index, PartitionAnswer& answer) {
    const PartitionLeader leader = context_.broker().metadata->leader_of(topic, index);
    if (leader.leader < 0) return;
    answer.current_leader.leader_id = leader.leader;
    answer.current_leader.leader_epoch = leader.epoch;
    add_endpoint(leader.leader);
  }
  /// The same for a topic known by its id, or by its name where the id is zero.
  template <class PartitionAnswer>
  void name(const Uuid& topic_id, const std::string& topic_name, PartitionId index,
            PartitionAnswer& answer) {
    const std::shared_ptr<const metadata::Image>& image = context_.broker().metadata->image();
    const metadata::Topic* topic =
        topic_id.is_zero() ? image->topic(topic_name) : image->topic(topic_id);
    if (topic != nullptr && topic->has_partition(index)) name(*topic, index, answer);
  }

 private:
  void add_endpoint(BrokerId leader) {
    for (const Endpoint& endpoint : endpoints_) {
      if (endpoint.node_id == leader) return;
    }
    if (brokers_.empty()) brokers_ = reachable_brokers(context_);
    for (const ReachableBroker& broker : brokers_) {
      if (broker.id != leader) continue;
      Endpoint& endpoint = endpoints_.emplace_back();
      endpoint.node_id = broker.id;
      endpoint.host = broker.host;
      endpoint.port = broker.port;
      endpoint.rack = broker.rack;
    }
  }

  RequestContext& context_;
  std::vector<Endpoint>& endpoints_;
  std::vector<ReachableBroker> brokers_;  // once they are needed
};

}  // namespace chronik::broker
