// CreateTopics: each topic has its own outcome; those that can be created are one proposal, so one
// entry of the metadata log and one sync, however many they are. With validate_only nothing is
// proposed.
#pragma once

#include "broker/api/context.h"
#include "protocol/messages/create_topics.h"

namespace chronik::broker {

Task<protocol::CreateTopicsResponse> create_topics(RequestContext& context,
                                                   protocol::CreateTopicsRequest request);

}  // namespace chronik::broker
