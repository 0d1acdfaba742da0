// The settings of: groups of the classic and the consumer protocol, and their offsets.
#include "broker/settings/table_rows.h"

namespace chronik::broker::rows {

namespace {

constexpr SettingDefinition all[] = {
    {"group.consumer.assignment.interval.ms", int32, "1000", at_least(0), listed, cluster_wide,
     "Least time between two assignments of a consumer group."},
    {"group.consumer.assignors", list, "uniform,range", any, listed, read_only,
     "Server-side assignors, the first one being the default."},
    {"group.consumer.heartbeat.interval.ms", int32, "5000", at_least(1), listed, read_only,
     "How often members of a consumer group send heartbeats."},
    {"group.consumer.max.assignment.interval.ms", int32, "15000", at_least(0), listed, read_only,
     "Upper bound of a consumer group's assignment interval."},
    {"group.consumer.max.heartbeat.interval.ms", int32, "15000", at_least(1), listed, read_only,
     "Upper bound of a consumer group's heartbeat interval."},
    {"group.consumer.max.session.timeout.ms", int32, "60000", at_least(1), listed, read_only,
     "Upper bound of a consumer group's session timeout."},
    {"group.consumer.max.size", int32, "2147483647", at_least(1), listed, read_only,
     "Most members of a consumer group of the new protocol."},
    {"group.consumer.migration.policy", text, "bidirectional",
     one_of_ignoring_case("DISABLED, DOWNGRADE, UPGRADE, BIDIRECTIONAL"), listed, read_only,
     "Which changes between the classic and the new group protocol happen by themselves."},
    {"group.consumer.min.assignment.interval.ms", int32, "0", at_least(0), listed, read_only,
     "Lower bound of a consumer group's assignment interval."},
    {"group.consumer.min.heartbeat.interval.ms", int32, "5000", at_least(1), listed, read_only,
     "Lower bound of a consumer group's heartbeat interval."},
    {"group.consumer.min.session.timeout.ms", int32, "45000", at_least(1), listed, read_only,
     "Lower bound of a consumer group's session timeout."},
    {"group.consumer.session.timeout.ms", int32, "45000", at_least(1), listed, read_only,
     "After this long without a heartbeat a member of a consumer group is removed."},
    {"group.coordinator.append.linger.ms", int32, "-1", at_least(-1), listed, read_only,
     "How long Kafka's coordinator collects writes; -1 adapts to the load."},
    {"group.coordinator.background.threads", int32, "2", at_least(1), listed, read_only,
     "Threads that work off the coordinator's path."},
    {"group.coordinator.cached.buffer.max.bytes", int32, "1048588", at_least(524288), listed,
     cluster_wide, "Largest write buffer the group coordinator keeps for later."},
    {"group.coordinator.rebalance.protocols", list, "classic,consumer,streams",
     each_one_of("consumer, classic, share, streams"), listed, read_only,
     "Group protocols that are on."},
    {"group.coordinator.threads", int32, "4", at_least(1), listed, read_only,
     "Threads of the group coordinator."},
    {"group.initial.rebalance.delay.ms", int32, "3000", any, applies, read_only,
     "How long the first rebalance of an empty group waits for more members."},
    {"group.max.session.timeout.ms", int32, "1800000", any, applies, read_only,
     "Longest session timeout a member may ask for."},
    {"group.max.size", int32, "2147483647", at_least(1), applies, read_only,
     "Most members of a group."},
    {"group.min.session.timeout.ms", int32, "6000", any, applies, read_only,
     "Shortest session timeout a member may ask for."},
    {"offset.metadata.max.bytes", int32, "4096", any, applies, read_only,
     "Longest note that may come with a committed offset."},
    {"offsets.commit.timeout.ms", int32, "5000", at_least(1), listed, read_only,
     "How long a commit waits for its replicas."},
    {"offsets.load.buffer.size", int32, "5242880", at_least(1), listed, read_only,
     "Bytes read at a time when Kafka loads offsets from their topic."},
    {"offsets.retention.check.interval.ms", int64, "600000", at_least(1), applies, read_only,
     "How often expired offsets are looked for."},
    {"offsets.retention.minutes", int32, "10080", at_least(1), applies, read_only,
     "How long the offsets of a group without members are kept."},
    {"offsets.topic.compression.codec", int32, "0", any, listed, read_only,
     "Codec number of Kafka's offsets topic."},
    {"offsets.topic.num.partitions", int32, "50", at_least(1), listed, read_only,
     "Partitions of Kafka's offsets topic."},
    {"offsets.topic.replication.factor", int16, "3", at_least(1), listed, read_only,
     "Replicas of Kafka's offsets topic."},
    {"offsets.topic.segment.bytes", int32, "104857600", at_least(1), listed, read_only,
     "Segment size of Kafka's offsets topic."},
};

}  // namespace

std::span<const SettingDefinition> group_coordinator() { return all; }

}  // namespace chronik::broker::rows
