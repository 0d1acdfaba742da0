// The settings of: one group.
#include "broker/settings/table_rows.h"

namespace chronik::broker::rows {

namespace {

constexpr SettingDefinition all[] = {
    {"consumer.assignment.interval.ms", int32, "1000", at_least(0), listed, cluster_wide,
     "Least time between two assignments of this group."},
    {"consumer.heartbeat.interval.ms", int32, "5000", at_least(1), listed, cluster_wide,
     "How often members of this group send heartbeats."},
    {"consumer.session.timeout.ms", int32, "45000", at_least(1), listed, cluster_wide,
     "After this long without a heartbeat a member of this group is removed."},
    {"errors.deadletterqueue.copy.record.enable", boolean, "false", any, listed, cluster_wide,
     "Whether a given-up record is copied whole, and not only its place."},
    {"errors.deadletterqueue.topic.name", text, "", any, listed, cluster_wide,
     "Topic for the records that this share group gives up; empty means none."},
    {"share.assignment.interval.ms", int32, "1000", at_least(0), listed, cluster_wide,
     "Least time between two assignments of this share group."},
    {"share.auto.offset.reset", text, "latest", any, listed, cluster_wide,
     "Where a new share group starts: latest, earliest, or by_duration: and a duration."},
    {"share.delivery.count.limit", int32, "5", at_least(2), listed, cluster_wide,
     "How often this share group delivers a record before it gives up."},
    {"share.heartbeat.interval.ms", int32, "5000", at_least(1), listed, cluster_wide,
     "How often members of this share group send heartbeats."},
    {"share.isolation.level", text, "read_uncommitted", one_of("read_committed, read_uncommitted"),
     listed, cluster_wide, "Whether this share group sees records of open transactions."},
    {"share.partition.max.record.locks", int32, "2000", at_least(100), listed, cluster_wide,
     "Most records of a partition that this share group holds at a time."},
    {"share.record.lock.duration.ms", int32, "30000", at_least(1000), listed, cluster_wide,
     "How long a record stays with the share consumer that fetched it."},
    {"share.renew.acknowledge.enable", boolean, "true", any, listed, cluster_wide,
     "Whether a share consumer may prolong its hold on a record."},
    {"share.session.timeout.ms", int32, "45000", at_least(1), listed, cluster_wide,
     "After this long without a heartbeat a member of this share group is removed."},
    {"streams.assignment.interval.ms", int32, "1000", at_least(0), listed, cluster_wide,
     "Least time between two assignments of this streams group."},
    {"streams.assignor.name", text, null, any, listed, cluster_wide,
     "Assignor of this streams group."},
    {"streams.heartbeat.interval.ms", int32, "5000", at_least(1), listed, cluster_wide,
     "How often members of this streams group send heartbeats."},
    {"streams.initial.rebalance.delay.ms", int32, "3000", at_least(0), listed, cluster_wide,
     "How long the first rebalance of this streams group waits for more members."},
    {"streams.num.standby.replicas", int32, "0", at_least(0), listed, cluster_wide,
     "Standby copies of each stateful task of this streams group."},
    {"streams.rack.aware.assignment.tags", list, "", any, listed, cluster_wide,
     "Client tags over which standby copies of this group are spread."},
    {"streams.session.timeout.ms", int32, "45000", at_least(1), listed, cluster_wide,
     "After this long without a heartbeat a member of this streams group is removed."},
};

}  // namespace

std::span<const SettingDefinition> groups() { return all; }

}  // namespace chronik::broker::rows
