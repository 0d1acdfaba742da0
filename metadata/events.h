// MetadataEvent: one change of the cluster's metadata, one record of the log of ("__meta", 0).
// Whatever is random or read from a clock (ids, times) the proposer puts into the event; what an
// event means for an image, and whether it is refused, is decided in apply (metadata/apply.h).
// Field names and types are those of the schema records that they are stored as
// (protocol/schema/records/, metadata/event_codec.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/types.h"
#include "base/uuid.h"

namespace chronik::metadata {

/// The first event of a log: who the cluster is. Refused when the image already has another id.
struct ClusterCreated {
  std::string cluster_id;
  Timestamp created_ms = 0;
  bool operator==(const ClusterCreated&) const = default;
};

/// Sets the level of a feature ("metadata.version", "group.version", ...); level 0 removes it.
struct FeatureLevelChanged {
  std::string name;
  std::int16_t level = 0;
  bool operator==(const FeatureLevelChanged&) const = default;
};

/// A broker announced itself, for the first time or again with another address.
struct BrokerRegistered {
  struct Endpoint {
    std::string name;  // of the listener
    std::string host;
    std::uint16_t port = 0;
    std::int16_t security_protocol = 0;  // Kafka's numbers: 0 PLAINTEXT, 1 SSL, 2 SASL_*, 3
    bool operator==(const Endpoint&) const = default;
  };
  BrokerId broker_id = 0;
  Uuid incarnation_id;
  std::vector<Endpoint> endpoints;
  std::optional<std::string> rack;
  Timestamp registered_ms = 0;
  bool operator==(const BrokerRegistered&) const = default;
};

struct BrokerRemoved {
  BrokerId broker_id = 0;
  bool operator==(const BrokerRemoved&) const = default;
};

/// Refused (Kafka's codes) when the name is taken (topic_already_exists), not allowed, or collides
/// with another in '.' and '_' (invalid_topic_exception); when partitions are not 0..n-1
/// (invalid_partitions) or replicas are none or doubled (invalid_replica_assignment).
struct TopicCreated {
  struct Partition {
    PartitionId partition_index = 0;
    std::vector<BrokerId> replicas;  // the first is the preferred leader
    BrokerId leader = -1;
    LeaderEpoch leader_epoch = 0;
    bool operator==(const Partition&) const = default;
  };
  struct Config {
    std::string name;
    std::string value;
    bool operator==(const Config&) const = default;
  };
  Uuid topic_id;
  std::string name;
  bool internal = false;
  Timestamp created_ms = 0;
  std::vector<Partition> partitions;
  std::vector<Config> configs;
  bool operator==(const TopicCreated&) const = default;
};

/// Takes the committed offsets of the topic along, in every group. Unknown id: unknown_topic_id.
struct TopicDeleted {
  Uuid topic_id;
  std::string name;  // for people who read the log
  bool operator==(const TopicDeleted&) const = default;
};

/// Refused unless the partitions continue those there (invalid_partitions), so of two racing
/// requests the second fails. Unknown id: unknown_topic_id.
struct PartitionsAdded {
  struct Partition {
    PartitionId partition_index = 0;
    std::vector<BrokerId> replicas;
    BrokerId leader = -1;
    LeaderEpoch leader_epoch = 0;
    bool operator==(const Partition&) const = default;
  };
  Uuid topic_id;
  std::string name;  // for people who read the log
  std::vector<Partition> partitions;
  bool operator==(const PartitionsAdded&) const = default;
};

/// Unknown id: unknown_topic_id.
struct TopicConfigChanged {
  /// Sets a config, or deletes it (no value). Deleting what is not set is fine.
  struct Change {
    std::string name;
    std::optional<std::string> value;
    bool operator==(const Change&) const = default;
  };
  Uuid topic_id;
  std::string name;      // for people who read the log
  bool replace = false;  // AlterConfigs: what `changes` does not name is deleted
  std::vector<Change> changes;
  bool operator==(const TopicConfigChanged&) const = default;
};

/// Kafka's ConfigResource.Type. Topics are not among them: TopicConfigChanged.
enum class ConfigResourceType : std::int8_t { broker = 4, client_metrics = 16, group = 32 };

/// Dynamic configs of a resource that need not exist: of a broker (its id as text; the empty name
/// is the cluster-wide default), a group, a client metrics subscription.
struct ConfigChanged {
  struct Change {
    std::string name;
    std::optional<std::string> value;
    bool operator==(const Change&) const = default;
  };
  std::int8_t resource_type = 0;  // ConfigResourceType; another number: invalid_request
  std::string resource_name;
  bool replace = false;
  std::vector<Change> changes;
  bool operator==(const ConfigChanged&) const = default;
};

/// The whole durable state of a classic consumer group after a change; it replaces the one before.
struct GroupUpdated {
  struct Protocol {
    std::string name;
    Bytes metadata;
    bool operator==(const Protocol&) const = default;
  };
  struct Member {
    std::string member_id;
    std::optional<std::string> group_instance_id;
    std::string client_id;
    std::string client_host;
    std::int32_t rebalance_timeout_ms = 0;
    std::int32_t session_timeout_ms = 0;
    std::vector<Protocol> protocols;  // in the member's order of preference
    Bytes assignment;
    bool operator==(const Member&) const = default;
  };
  std::string group_id;
  std::string protocol_type;                 // "consumer", "connect"; empty: none yet
  std::optional<std::string> protocol_name;  // null while no generation is complete
  std::int32_t generation = 0;
  std::optional<std::string> leader;  // member id
  Timestamp state_timestamp_ms = 0;   // when the group entered its present state
  std::vector<Member> members;
  bool operator==(const GroupUpdated&) const = default;
};

/// Removes state and offsets. Refused: group_id_not_found; non_empty_group when it has members.
struct GroupDeleted {
  std::string group_id;
  bool operator==(const GroupDeleted&) const = default;
};

/// Committed positions of one group. A partition that does not exist (its topic was deleted
/// meanwhile) is left out with unknown_topic_or_partition in ApplyResult::rejected.
struct OffsetsCommitted {
  struct Partition {
    PartitionId partition_index = 0;
    Offset committed_offset = 0;
    LeaderEpoch committed_leader_epoch = no_leader_epoch;
    Timestamp commit_time_ms = 0;
    Timestamp expire_time_ms = -1;  // -1: by offsets.retention.minutes
    std::string metadata;
    bool operator==(const Partition&) const = default;
  };
  struct Topic {
    Uuid topic_id;
    std::string name;  // for people who read the log
    std::vector<Partition> partitions;
    bool operator==(const Topic&) const = default;
  };
  std::string group_id;
  std::vector<Topic> topics;
  bool operator==(const OffsetsCommitted&) const = default;
};

/// Deletes committed positions; one that is not there is fine. Unknown group: group_id_not_found.
struct OffsetsDeleted {
  struct Topic {
    Uuid topic_id;
    std::string name;  // for people who read the log
    std::vector<PartitionId> partitions;
    bool operator==(const Topic&) const = default;
  };
  std::string group_id;
  std::vector<Topic> topics;
  bool operator==(const OffsetsDeleted&) const = default;
};

/// Takes the next `block_size` producer ids for a broker; where the block starts is decided in
/// apply (ApplyResult::producer_id_first). Exhausted or block_size < 1: invalid_request.
struct ProducerIdsAllocated {
  BrokerId broker_id = 0;
  std::int64_t block_size = 0;
  bool operator==(const ProducerIdsAllocated&) const = default;
};

/// The order is of no meaning on disk; there each kind has its number (metadata/event_codec.h).
using MetadataEvent =
    std::variant<ClusterCreated, FeatureLevelChanged, BrokerRegistered, BrokerRemoved, TopicCreated,
                 TopicDeleted, PartitionsAdded, TopicConfigChanged, ConfigChanged, GroupUpdated,
                 GroupDeleted, OffsetsCommitted, OffsetsDeleted, ProducerIdsAllocated>;

}  // namespace chronik::metadata
