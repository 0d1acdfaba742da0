// The settings that Kafka does not have.
#include "broker/settings/table_rows.h"

namespace chronik::broker::rows {

namespace {

constexpr SettingDefinition all[] = {
    {"chronik.cluster.id", text, null, any, applies, read_only,
     "Id of the cluster, 22 characters of URL base64, written into a new data directory; unset "
     "makes a random one, and a directory of another cluster is refused."},
    {"chronik.disk.reserve.bytes", int64, "0", at_least(0), applies, read_only,
     "Size of a file that is given up when the disk is full, so that what was accepted can still "
     "be written; 0 means 1 % of the disk, at most 16 MiB."},
    {"chronik.disk.watermark.bytes", int64, "0", at_least(0), applies, read_only,
     "Free space below which produce requests are refused, so that reads, deletes and retention go "
     "on; 0 means 5 % of the disk, at most 128 MiB."},
    {"chronik.log.level", text, "info", one_of("debug, info, warn, error"), applies, read_only,
     "Least level of the lines that are logged; while it runs, change the broker logger root."},
    {"chronik.shards", int32, "0", between(0, 1024), applies, read_only,
     "Threads that serve connections and partitions; 0 means one for each core."},
};

// Accepted in IncrementalAlterConfigs and shown once set, as Kafka does: tools that move partitions
// set them. They are in no file.
constexpr SettingDefinition throttles[] = {
    {"follower.replication.throttled.rate", int64, int64_max, at_least(0), listed, cluster_wide,
     "Most bytes per second copied by throttled followers."},
    {"leader.replication.throttled.rate", int64, int64_max, at_least(0), listed, cluster_wide,
     "Most bytes per second copied from throttled leaders."},
    {"replica.alter.log.dirs.io.max.bytes.per.second", int64, int64_max, at_least(0), listed,
     cluster_wide, "Most bytes per second moved between data directories."},
};

}  // namespace

std::span<const SettingDefinition> own() { return all; }
std::span<const SettingDefinition> replication_throttles() { return throttles; }

}  // namespace chronik::broker::rows
