// What a topic's settings (broker/settings) mean for its partitions. Pure.
#pragma once

#include <cstdint>
#include <memory>

#include "base/clock.h"
#include "broker/settings/topic_settings.h"
#include "protocol/produce_validation.h"
#include "wal/partition_log.h"

namespace chronik::broker {

/// What a topic's settings mean for its partitions; shared by them, replaced as a whole.
struct PartitionSettings {
  wal::SharedLogSettings log;
  protocol::ProduceRules produce;
  milliseconds producer_expiration{86'400'000};  // producer.id.expiration.ms
  std::int32_t min_insync_replicas = 1;
  ThrottledReplicas throttled_leaders;
  ThrottledReplicas throttled_followers;
};

std::shared_ptr<const PartitionSettings> partition_settings(const TopicSettings& topic,
                                                            milliseconds producer_expiration);

}  // namespace chronik::broker
