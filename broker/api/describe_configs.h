// DescribeConfigs: the configs of topics, of this broker, of the cluster's brokers by default, of
// loggers, groups and client metrics subscriptions; their sources, synonyms and documentation.
// What is described is decided in broker/settings/describe.h.
#pragma once

#include "broker/api/handler.h"
#include "broker/settings/settings.h"
#include "metadata/image.h"
#include "protocol/messages/describe_configs.h"

namespace chronik::broker {

Task<protocol::DescribeConfigsResponse> describe_configs(RequestContext& context,
                                                         protocol::DescribeConfigsRequest request);

/// The answer without its context; pure but for the level of the log.
protocol::DescribeConfigsResponse answer_describe_configs(
    const protocol::DescribeConfigsRequest& request, const metadata::Image& image,
    const LiveConfig& live, BrokerId this_broker);

}  // namespace chronik::broker
