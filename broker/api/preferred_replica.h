// Where a consumer should read a partition from that this node leads (KIP-392): a replica in its
// rack, if replica.selector.class says so. Before a consumer is sent there, the replica is asked,
// by a Fetch between nodes, whether it has what the consumer reads next and knows as much to be
// committed as the consumer has been told here: so the high watermark does not go back on
// the way. (On the way back it may, where the leader's own disk is behind what is committed.)
#pragma once

#include <string>
#include <vector>

#include "broker/api/context.h"
#include "broker/partition/fetch_session.h"
#include "broker/partition/partition.h"
#include "broker/runtime/task.h"

namespace chronik::protocol {
struct FetchRequest;
struct FetchResponse;
}  // namespace chronik::protocol

namespace chronik::broker {

/// Whether a consumer in this rack may have to be sent to other replicas.
bool reads_elsewhere(RequestContext& context, const std::string& rack);

/// The replica for each of the partitions, which have just been read here with `results`; -1: this
/// node. Empty: all of them this node. On the connection's shard.
Task<std::vector<BrokerId>> preferred_replicas(
    RequestContext& context, std::string rack,
    const std::vector<std::shared_ptr<FetchPartition>>& partitions,
    const std::vector<ReadResult>& results);

/// Answers a leader that asks for itself, without records: waits until what lies before the offset
/// is known to be committed here. Errors of a partition: those of a reader; offset_not_available
/// where that is not so in time.
Task<protocol::FetchResponse> answer_leader(RequestContext& context,
                                            protocol::FetchRequest request);

}  // namespace chronik::broker
