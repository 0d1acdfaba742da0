// Metadata: brokers, topics, partitions and their leaders, from the image of the connection's
// shard. Creates topics at a client's first use where auto.create.topics.enable says so.
#pragma once

#include "broker/api/context.h"
#include "protocol/messages/metadata.h"

namespace chronik::broker {

// Not `metadata`, which is the name of the room.
Task<protocol::MetadataResponse> metadata_request(RequestContext& context,
                                                  protocol::MetadataRequest request);

}  // namespace chronik::broker
