// What a topic's settings (broker/settings) mean for its partitions. Pure.
#pragma once

#include <memory>

#include "base/clock.h"
#include "broker/partition/partition.h"
#include "broker/settings/topic_settings.h"

namespace chronik::broker {

std::shared_ptr<const PartitionSettings> partition_settings(const TopicSettings& topic,
                                                            milliseconds producer_expiration);

}  // namespace chronik::broker
