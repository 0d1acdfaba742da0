// MetadataEvent: one change of the cluster's metadata, one record of the log of ("__meta", 0). The
// structs are generated from metadata/schema/records/*.msg, which say what each event means.
// Whatever is random or read from a clock (ids, times) the proposer puts into the event; what it
// means for an image, and whether it is refused, is decided in apply (metadata/apply.h).
#pragma once

#include <cstdint>
#include <variant>

#include "base/types.h"
#include "metadata/records/broker_fenced.h"
#include "metadata/records/broker_registered.h"
#include "metadata/records/broker_removed.h"
#include "metadata/records/cluster_created.h"
#include "metadata/records/config_changed.h"
#include "metadata/records/feature_level_changed.h"
#include "metadata/records/group_deleted.h"
#include "metadata/records/group_updated.h"
#include "metadata/records/offsets_committed.h"
#include "metadata/records/offsets_deleted.h"
#include "metadata/records/partition_group_founded.h"
#include "metadata/records/partition_recovered.h"
#include "metadata/records/partition_replicas_changed.h"
#include "metadata/records/partitions_added.h"
#include "metadata/records/producer_ids_allocated.h"
#include "metadata/records/topic_config_changed.h"
#include "metadata/records/topic_created.h"
#include "metadata/records/topic_deleted.h"

namespace chronik::metadata {

/// The order is of no meaning on disk; there each kind has its number (metadata/event_codec.h).
using MetadataEvent =
    std::variant<ClusterCreated, FeatureLevelChanged, BrokerRegistered, BrokerRemoved, BrokerFenced,
                 TopicCreated, TopicDeleted, PartitionsAdded, PartitionGroupFounded,
                 PartitionReplicasChanged, PartitionRecovered, TopicConfigChanged, ConfigChanged,
                 GroupUpdated, GroupDeleted, OffsetsCommitted, OffsetsDeleted,
                 ProducerIdsAllocated>;

/// Kafka's ConfigResource.Type as ConfigChanged carries it; others may occur.
enum class ConfigResourceType : std::int8_t { broker = 4, client_metrics = 16, group = 32 };

}  // namespace chronik::metadata
