// AlterConfigs: sets the configs of resources to exactly what the request names (KIP-133); old
// tools use it. A resource that is refused leaves the others in force.
#pragma once

#include "broker/api/handler.h"
#include "protocol/messages/alter_configs.h"

namespace chronik::broker {

Task<protocol::AlterConfigsResponse> alter_configs(RequestContext& context,
                                                   protocol::AlterConfigsRequest request);

}  // namespace chronik::broker
