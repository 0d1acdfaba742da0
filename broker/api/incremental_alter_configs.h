// IncrementalAlterConfigs: sets, deletes, appends to and subtracts from single configs of resources
// (KIP-339, KIP-412 for log levels). A resource that is refused leaves the others in force.
#pragma once

#include "broker/api/handler.h"
#include "protocol/messages/incremental_alter_configs.h"

namespace chronik::broker {

Task<protocol::IncrementalAlterConfigsResponse> incremental_alter_configs(
    RequestContext& context, protocol::IncrementalAlterConfigsRequest request);

}  // namespace chronik::broker
