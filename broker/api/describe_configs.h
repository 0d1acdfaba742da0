// DescribeConfigs: the configs of topics, of this broker, of the cluster's brokers by default, of
// loggers, groups and client metrics subscriptions; their sources, synonyms and documentation.
// What is described is decided in broker/settings/describe.h.
#pragma once

#include "broker/api/handler.h"
#include "protocol/messages/describe_configs.h"

namespace chronik::broker {

Task<protocol::DescribeConfigsResponse> describe_configs(RequestContext& context,
                                                         protocol::DescribeConfigsRequest request);

}  // namespace chronik::broker
