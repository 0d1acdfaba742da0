// What becomes of a wish for a new topic: an event to propose, or a refusal in Kafka's words. Pure,
// but for the id, which is drawn from the generator that is handed in. Whether the name is taken is
// decided where the event is applied (metadata/apply.h).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/types.h"
#include "broker/api/placement.h"
#include "broker/settings/live_settings.h"
#include "metadata/events.h"
#include "protocol/errors.h"
#include "protocol/messages/create_topics.h"

namespace chronik::broker {

struct Refusal {
  protocol::ErrorCode code = protocol::ErrorCode::none;
  std::string message;
};

/// What placement and defaults come from.
struct CreationContext {
  const LiveConfig& config;
  std::span<const PlacementBroker> brokers;  // that may get replicas; at least one can be reached
  Random& random;
  Timestamp now_ms = 0;
};

/// A request may ask for this many partitions over all its topics, so that one of a few bytes does
/// not become gigabytes.
inline constexpr std::int64_t partitions_per_request_max = 200'000;

/// -1 partitions or replicas mean the defaults (KIP-464).
std::variant<metadata::TopicCreated, Refusal> plan_topic(
    const protocol::CreateTopicsRequest::CreatableTopic& wish, CreationContext& context);

/// A topic with all defaults, as a client's first use of it makes it (auto.create.topics.enable).
std::variant<metadata::TopicCreated, Refusal> plan_default_topic(const std::string& name,
                                                                 CreationContext& context);

}  // namespace chronik::broker
