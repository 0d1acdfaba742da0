// ListConfigResources: names of the resources that have configs, or could have (KIP-1142); in its
// version 0, when it was ListClientMetricsResources, the client metrics subscriptions alone.
#pragma once

#include "broker/api/handler.h"
#include "metadata/image.h"
#include "protocol/messages/list_config_resources.h"

namespace chronik::broker {

Task<protocol::ListConfigResourcesResponse> list_config_resources(
    RequestContext& context, protocol::ListConfigResourcesRequest request);

/// The answer without its context; pure.
protocol::ListConfigResourcesResponse answer_list_config_resources(
    const protocol::ListConfigResourcesRequest& request, std::int16_t version,
    const metadata::Image& image, BrokerId this_broker);

}  // namespace chronik::broker
