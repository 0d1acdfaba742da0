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
    {"chronik.journal.append.bytes.max", int64, "262144", at_least(0), applies, read_only,
     "Largest append that goes to the journal, where one sync covers many partitions; a larger one "
     "is synced in its own file, and so written once."},
    {"chronik.journal.bytes.max", int64, "1073741824", between(0, std::int64_t{1} << 36), applies,
     read_only,
     "Disk space for the journal, of all shards together, which a start after a crash reads: the "
     "larger it is, the less often the partitions' own files are synced; with 0 there is none, and "
     "each append is synced in its partition's file."},
    {"chronik.log.level", text, "info", one_of("debug, info, warn, error"), applies, read_only,
     "Least level of the lines that are logged; while it runs, change the broker logger root."},
    {"chronik.shards", int32, "0", between(0, 1024), applies, read_only,
     "Threads that serve connections and partitions; 0 means one for every two cores."},
    {"cluster.election.timeout.ms", int32, "1000", between(100, 60'000), applies, read_only,
     "How long a node hears nothing of the leader before it campaigns; a connection between nodes "
     "that is silent for as long is closed."},
    {"cluster.frame.bytes.max", int32, "83886080", between(1 << 20, 1 << 30), applies, read_only,
     "Largest message between nodes; a longer one closes the connection."},
    {"cluster.heartbeat.interval.ms", int32, "100", between(10, 10'000), applies, read_only,
     "How often the leader makes itself heard, and nodes that have nothing to say to each other "
     "show that they live."},
    {"cluster.listeners", list, "", any, applies, read_only,
     "Where this node listens for the other nodes, as host:port; empty means every interface, at "
     "this node's port in cluster.nodes."},
    {"cluster.nodes", list, "", any, applies, read_only,
     "All nodes of the cluster, the same list on each: 1@n1:9192,2@n2:9192,3@n3:9192, with "
     "/observer behind the port of one that never votes; empty means standalone."},
    {"cluster.propose.timeout.ms", int32, "5000", between(100, 600'000), applies, read_only,
     "How long a change of metadata waits for the leader and a majority before the client is told "
     "to try again."},
    {"cluster.queue.bytes.max", int64, "176160768", at_least(1 << 20), applies, read_only,
     "Messages that wait for one other node; what is beyond is dropped and sent again later."},
    {"node.role", text, null, one_of("voter, observer"), applies, read_only,
     "Role of this node in the cluster, which must be what cluster.nodes says; unset means that "
     "only cluster.nodes says it."},
};

// Accepted in IncrementalAlterConfigs and shown once set, as Kafka does: tools that move partitions
// set them. They are in no file.
constexpr SettingDefinition throttles[] = {
    {"follower.replication.throttled.rate", int64, int64_max, at_least(0), applies, cluster_wide,
     "Most bytes per second copied to throttled followers that are behind, from each leader."},
    {"leader.replication.throttled.rate", int64, int64_max, at_least(0), applies, cluster_wide,
     "Most bytes per second that throttled leaders copy to followers that are behind."},
    {"replica.alter.log.dirs.io.max.bytes.per.second", int64, int64_max, at_least(0), listed,
     cluster_wide, "Most bytes per second moved between data directories."},
};

}  // namespace

std::span<const SettingDefinition> own() { return all; }
std::span<const SettingDefinition> replication_throttles() { return throttles; }

}  // namespace chronik::broker::rows
