// The settings of: tiered storage.
#include "broker/settings/table_rows.h"

namespace chronik::broker::rows {

namespace {

constexpr SettingDefinition all[] = {
    {"log.local.retention.bytes", int64, "-2", at_least(-2), listed, cluster_wide,
     "Bytes of a tiered partition that stay on local disks; -2 means log.retention.bytes."},
    {"log.local.retention.ms", int64, "-2", at_least(-2), listed, cluster_wide,
     "Age to which a tiered partition stays on local disks; -2 means log.retention.ms."},
    {"log.remote.copy.lag.bytes", int64, "-1", at_least(-1), listed, cluster_wide,
     "Bytes of closed segments that may wait for their copy to remote storage; -1 sets no bound."},
    {"log.remote.copy.lag.ms", int64, "0", at_least(-1), listed, cluster_wide,
     "Time that a closed segment may wait for its copy to remote storage; -1 sets no bound."},
    {"remote.fetch.max.wait.ms", int32, "500", at_least(1), listed, cluster_wide,
     "Longest wait for a read from remote storage."},
    {"remote.list.offsets.request.timeout.ms", int64, "30000", at_least(1), listed, cluster_wide,
     "Longest wait for an offset lookup in remote storage."},
    {"remote.log.index.file.cache.total.size.bytes", int64, "1073741824", at_least(1), listed,
     cluster_wide, "Disk space for index files fetched from remote storage."},
    {"remote.log.manager.copier.thread.pool.size", int32, "10", at_least(1), listed, cluster_wide,
     "Threads that copy segments to remote storage."},
    {"remote.log.manager.copy.max.bytes.per.second", int64, int64_max, at_least(1), listed,
     cluster_wide, "Most bytes per second copied to remote storage."},
    {"remote.log.manager.copy.quota.window.num", int32, "11", at_least(1), listed, read_only,
     "How many windows the quota on copies to remote storage keeps in memory."},
    {"remote.log.manager.copy.quota.window.size.seconds", int32, "1", at_least(1), listed,
     read_only, "Length of one window of the quota on copies to remote storage."},
    {"remote.log.manager.expiration.thread.pool.size", int32, "10", at_least(1), listed,
     cluster_wide, "Threads that remove expired segments from remote storage."},
    {"remote.log.manager.fetch.max.bytes.per.second", int64, int64_max, at_least(1), listed,
     cluster_wide, "Most bytes per second read from remote storage."},
    {"remote.log.manager.fetch.quota.window.num", int32, "11", at_least(1), listed, read_only,
     "How many windows the quota on reads from remote storage keeps in memory."},
    {"remote.log.manager.fetch.quota.window.size.seconds", int32, "1", at_least(1), listed,
     read_only, "Length of one window of the quota on reads from remote storage."},
    {"remote.log.manager.follower.thread.pool.size", int32, "2", at_least(1), listed, cluster_wide,
     "Threads that follow remote segments for replicas that do not lead."},
    {"remote.log.manager.task.interval.ms", int64, "30000", at_least(1), listed, read_only,
     "How often the remote storage tasks run."},
    {"remote.log.manager.thread.pool.size", int32, "2", at_least(1), listed, read_only,
     "Threads that schedule remote storage tasks."},
    {"remote.log.metadata.custom.metadata.max.bytes", int32, "128", at_least(0), listed, read_only,
     "Largest note that a remote storage plugin may keep with a segment."},
    {"remote.log.metadata.manager.class.name", text,
     "org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager",
     not_empty, listed, read_only, "Java class that keeps the list of remote segments."},
    {"remote.log.metadata.manager.class.path", text, null, any, listed, read_only,
     "Where that Java class is loaded from."},
    {"remote.log.metadata.manager.impl.prefix", text, "rlmm.config.", not_empty, listed, read_only,
     "Prefix of the settings that are handed to that class."},
    {"remote.log.metadata.manager.listener.name", text, null, not_empty, listed, read_only,
     "Listener by which that class reaches the brokers."},
    {"remote.log.reader.max.pending.tasks", int32, "100", at_least(1), listed, read_only,
     "Most reads from remote storage that wait."},
    {"remote.log.reader.threads", int32, "10", at_least(1), listed, cluster_wide,
     "Threads that read from remote storage."},
    {"remote.log.storage.manager.class.name", text, null, not_empty, listed, read_only,
     "Java class that reads and writes remote storage."},
    {"remote.log.storage.manager.class.path", text, null, any, listed, read_only,
     "Where the storage class is loaded from."},
    {"remote.log.storage.manager.impl.prefix", text, "rsm.config.", not_empty, listed, read_only,
     "Prefix of the settings that are handed to the storage class."},
    {"remote.log.storage.system.enable", boolean, "false", any, listed, read_only,
     "Whether tiered storage is on."},
};

}  // namespace

std::span<const SettingDefinition> remote_storage() { return all; }

}  // namespace chronik::broker::rows
